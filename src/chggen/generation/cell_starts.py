"""Empty cells that de novo tries start from, drawn for each: the sources of seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from chggen.crystals import niggli_reduced
from chggen.generation.host import Host, empty_host
from chggen.generation.prototypes import Prototype, count_prototypes, prototype_of
from chggen.generation.random_cells import flat, random_bravais_cell
from chggen.generation.start import CellDrawer, required
from chggen.generation.symmetric_cells import SHAPE_DRAWS, prototype_cell, symmetric_cell
from chggen.symmetry import Orbits

_START_SIGMA: Final = (0.05, 0.3, 0.6)  # Å; of a prototype's sites when it comes first, second and after


@dataclass(frozen=True)
class BravaisCells:
    """An empty random Bravais cell of that volume (Å³) for each try."""

    species: Mapping[str, int]
    cell_volume: float
    de_novo: bool = True
    on_orbits: bool = False
    symmetric: bool = False
    start_sigma: None = None
    prototype_log_odds: None = None

    def draw(self, seed: int, shapes: CellDrawer | None = None) -> tuple[Host, None]:
        cell = random_bravais_cell(self.cell_volume, np.random.default_rng(seed))
        return empty_host(cell.tolist(), self.species), None

    def redraw(self, k: int) -> BravaisCells:
        return self


class JointCells(BravaisCells):
    """The same, but its shape is drawn by the score model."""

    def draw(self, seed: int, shapes: CellDrawer | None = None) -> tuple[Host, None]:
        rng = np.random.default_rng(seed)
        for _ in range(SHAPE_DRAWS):
            drawn = required(shapes)(self.species, self.cell_volume, int(rng.integers(2**62)))
            cell = niggli_reduced(drawn)
            if not flat(cell):
                break
        return empty_host(cell.tolist(), self.species), None


@dataclass(frozen=True)
class SpaceGroupCells:
    """An empty primitive cell of that volume (Å³) in a space group for each try; number None: a drawn group.

    joint: its shape is drawn by the score model, else as known crystals have it.
    """

    species: Mapping[str, int]
    cell_volume: float
    number: int | None = None
    joint: bool = False
    de_novo: bool = True
    on_orbits: bool = True
    symmetric: bool = True
    start_sigma: None = None
    prototype_log_odds: None = None

    def draw(self, seed: int, shapes: CellDrawer | None = None) -> tuple[Host, Orbits]:
        own = required(shapes) if self.joint else None
        host = symmetric_cell(self.species, self.cell_volume, np.random.default_rng(seed), self.number, own)
        assert host.orbits is not None
        return host, host.orbits.draw(seed)

    def redraw(self, k: int) -> SpaceGroupCells:
        """The same: every draw has a group of its own."""
        return self


@dataclass(frozen=True)
class PrototypeCells:
    """A known prototype with these species on its sites, in a cell of that volume (Å³).

    rank: how many prototypes are likelier. Beyond the last of them they come again, softer each time.
    stride: ranks from one draw of a candidate to the next.
    """

    species: Mapping[str, int]
    cell_volume: float
    rank: int
    stride: int = 1
    de_novo: bool = True
    on_orbits: bool = True

    @property
    def symmetric(self) -> bool:
        return self._prototype.number > 2

    @property
    def start_sigma(self) -> float:
        return _START_SIGMA[min(self._round, len(_START_SIGMA) - 1)]

    @property
    def prototype_log_odds(self) -> float:
        return self._prototype.log_odds

    def draw(self, seed: int, shapes: CellDrawer | None = None) -> tuple[Host, Orbits]:
        rng = np.random.default_rng(seed) if self._round else None
        host = prototype_cell(self.species, self.cell_volume, self._prototype, rng)
        assert host.orbits is not None
        return host, host.orbits.draw(seed)

    def redraw(self, k: int) -> PrototypeCells:
        """The prototypes that no candidate has begun with."""
        return replace(self, rank=self.rank + k * self.stride)

    @property
    def _round(self) -> int:
        return self.rank // count_prototypes(self.species)

    @property
    def _prototype(self) -> Prototype:
        return prototype_of(self.species, self.rank % count_prototypes(self.species))
