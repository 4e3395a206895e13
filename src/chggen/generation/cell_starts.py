"""What de novo candidates start from: cells without atoms, a new one for each try."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np

from chggen.crystals import niggli_reduced
from chggen.generation.host import Host, empty_host
from chggen.generation.prototypes import Prototype, count_prototypes, prototype_of
from chggen.generation.random_cells import flat, random_bravais_cell
from chggen.generation.space_group_statistics import Assignment
from chggen.generation.start import CellDrawer, required
from chggen.generation.symmetric_cells import SHAPE_DRAWS, prototype_cell, symmetric_cell
from chggen.symmetry import Orbits

_START_SIGMA: Final = (0.05, 0.3, 0.6)  # Å; of a prototype's sites when it comes first, second and after


@dataclass(frozen=True)
class BravaisCell:
    """A random cell of a Bravais lattice without atoms, another one for each try.

    Attributes:
        species: Element symbol to number of atoms in the cell.
        cell_volume: Volume of the cell, Å³.
    """

    species: Mapping[str, int]
    cell_volume: float
    source: str = "bravais"
    de_novo: bool = True
    on_orbits: bool = False
    symmetric: bool = False
    start_sigma: None = None
    prototype_log_odds: None = None

    def draw(self, seed: int, cell_drawer: CellDrawer | None = None) -> tuple[Host, None]:
        """Draw a random cell.

        Args:
            seed: Random seed of the try.
            cell_drawer: Not needed.

        Returns:
            The empty host; None for orbits.
        """
        cell = random_bravais_cell(self.cell_volume, np.random.default_rng(seed))
        return empty_host(cell.tolist(), self.species), None

    def redraw(self, k: int) -> BravaisCell:
        """Return the start itself, since every draw has a cell of its own.

        Args:
            k: Which redraw it is.
        """
        return self


@dataclass(frozen=True)
class LearnedCell(BravaisCell):
    """A cell without atoms whose shape the score model draws, another one for each try.

    Attributes:
        species: Element symbol to number of atoms in the cell.
        cell_volume: Volume of the cell, Å³.
    """

    source: str = "learned"

    def draw(self, seed: int, cell_drawer: CellDrawer | None = None) -> tuple[Host, None]:
        """Draw a cell with the score model; flat ones are drawn again, a few times.

        Args:
            seed: Random seed of the try.
            cell_drawer: What draws cells.

        Returns:
            The empty host; None for orbits.

        Raises:
            InputError: There is no cell drawer.
        """
        rng = np.random.default_rng(seed)
        for _ in range(SHAPE_DRAWS):
            drawn = required(cell_drawer)(self.species, self.cell_volume, int(rng.integers(2**62)))
            cell = niggli_reduced(drawn)
            if not flat(cell):
                break
        return empty_host(cell.tolist(), self.species), None


@dataclass(frozen=True)
class SpaceGroupCell:
    """An empty primitive cell in a space group with orbits for all atoms, another one for each try.

    Attributes:
        species: Element symbol to number of atoms in the primitive cell.
        cell_volume: Volume of the primitive cell, Å³.
        number: International number of the space group; None for one drawn as known crystals have it.
        learned: Whether the score model draws the shape of the cell. Else it is drawn as known crystals have it.
        assignment: Space group and Wyckoff positions of all tries, in place of drawn ones; None draws them.
        named: Name of the source that it comes from, if that is not one of the two that draw.
    """

    species: Mapping[str, int]
    cell_volume: float
    number: int | None = None
    learned: bool = False
    assignment: Assignment | None = None
    named: str = ""
    de_novo: bool = True
    on_orbits: bool = True
    symmetric: bool = True
    start_sigma: None = None
    prototype_log_odds: None = None

    @property
    def source(self) -> str:
        """The name given, else `learned` or `space-group`, by what draws the shape of the cell."""
        return self.named or ("learned" if self.learned else "space-group")

    def draw(self, seed: int, cell_drawer: CellDrawer | None = None) -> tuple[Host, Orbits]:
        """Draw a space group where none is given, a cell of its Bravais class, and orbits for all atoms.

        Args:
            seed: Random seed of the try.
            cell_drawer: What draws cells; needed where the score model draws the shape.

        Returns:
            The empty host, and the orbits of its atoms.

        Raises:
            InputError: The species do not fit the group, or there is no cell drawer.
        """
        own = required(cell_drawer) if self.learned else None
        given = None if self.assignment is None else partial(_same, self.assignment)
        rng = np.random.default_rng(seed)
        host = symmetric_cell(self.species, self.cell_volume, rng, self.number, own, given)
        assert host.orbits is not None
        return host, host.orbits.draw(seed)

    def redraw(self, k: int) -> SpaceGroupCell:
        """Return the start itself, since every draw has a group of its own.

        Args:
            k: Which redraw it is.
        """
        return self


@dataclass(frozen=True)
class PrototypeCell:
    """The cell of a known prototype with orbits for the species that sit on its sites.

    Attributes:
        species: Element symbol to number of atoms in the primitive cell.
        cell_volume: Volume of the primitive cell, Å³.
        rank: Number of prototypes that are likelier. Beyond the last prototype they all come again, with sites and
            axes perturbed more each time.
        stride: Number of ranks between a candidate and what it is redrawn from.
    """

    species: Mapping[str, int]
    cell_volume: float
    rank: int
    stride: int = 1
    source: str = "prototype"
    de_novo: bool = True
    on_orbits: bool = True

    @property
    def symmetric(self) -> bool:
        """Whether the prototype has a space group above P1 and P-1."""
        return self._prototype.number > 2

    @property
    def start_sigma(self) -> float:
        """Standard deviation of the first perturbation of the sites, Å; larger when the prototype comes again."""
        return _START_SIGMA[min(self._round, len(_START_SIGMA) - 1)]

    @property
    def prototype_log_odds(self) -> float:
        """Log-odds of the prototype (`prototypes.Prototype`)."""
        return self._prototype.log_odds

    def draw(self, seed: int, cell_drawer: CellDrawer | None = None) -> tuple[Host, Orbits]:
        """Return the prototype's cell and the orbits of its sites, perturbed where the prototype comes again.

        Args:
            seed: Random seed of the try.
            cell_drawer: Not needed.

        Returns:
            The empty host, and the orbits of its atoms.
        """
        rng = np.random.default_rng(seed) if self._round else None
        host = prototype_cell(self.species, self.cell_volume, self._prototype, rng)
        assert host.orbits is not None
        return host, host.orbits.draw(seed)

    def redraw(self, k: int) -> PrototypeCell:
        """Return a prototype that no candidate of the run has begun with.

        Args:
            k: Which redraw it is.
        """
        return replace(self, rank=self.rank + k * self.stride)

    @property
    def _round(self) -> int:
        """How often all prototypes have come before."""
        return self.rank // count_prototypes(self.species)

    @property
    def _prototype(self) -> Prototype:
        """The prototype of this rank."""
        return prototype_of(self.species, self.rank % count_prototypes(self.species))


def _same(assignment: Assignment, rng: np.random.Generator) -> Assignment:
    """Return the assignment."""
    return assignment
