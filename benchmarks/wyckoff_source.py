"""A source of cells whose space groups and Wyckoff positions a network draws, for unknown.py: `cells_from=["wyckoff"]`.

For each composition 1,000 assignments are drawn once, from a fixed seed; each try takes one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from pymatgen.core import Element
from templates import read
from wyckoff_network import WyckoffNetwork, drawn, ordered

from chggen.generation import CellRequest, Host, SpaceGroupCell, Start, cell_sources
from chggen.generation.space_group_statistics import Assignment
from chggen.generation.start import CellDrawer
from chggen.generation.symmetric_cells import symmetric_cell
from chggen.symmetry import Orbits

WEIGHTS = Path(__file__).parent / "weights" / "wyckoff.pt"
POOL = 1000


@lru_cache(maxsize=1)
def network() -> WyckoffNetwork:
    """The committed one."""
    return read(WEIGHTS)


@lru_cache(maxsize=64)
def pool(species: tuple[tuple[str, int], ...]) -> list[Assignment]:
    """The assignments of a composition."""
    counts = {Element(symbol).Z: n for symbol, n in species}
    symbols = [Element.from_Z(z).symbol for z in ordered(counts)]
    found = []
    for number, orbits in drawn(network(), counts, POOL, np.random.default_rng(0)):
        letters = dict.fromkeys(symbols, "")
        for s, k in orbits:
            letters[symbols[s]] += network().positions.letters[number][k]
        found.append(Assignment(number=number, letters=letters))
    return found


@dataclass(frozen=True)
class NetworkCell(SpaceGroupCell):
    """A cell in a space group that the network draws, another one for each try."""

    source: str = "wyckoff"

    def draw(self, seed: int, cell_drawer: CellDrawer | None = None) -> tuple[Host, Orbits]:
        """The empty host and its orbits."""
        ways, rng = pool(tuple(sorted(self.species.items()))), np.random.default_rng(seed)
        host = symmetric_cell(
            self.species, self.cell_volume, rng, assigned=lambda rng: ways[int(rng.integers(len(ways)))]
        )
        assert host.orbits is not None
        return host, host.orbits.draw(seed)


class NetworkCells:
    """The source."""

    name = "wyckoff"
    share = 0.0

    def available(self, species: Mapping[str, int], draws_cells: bool) -> bool:
        """Any cell."""
        return True

    def start(self, request: CellRequest) -> Start:
        """A cell."""
        return NetworkCell(request.species, request.volume.draw(request.rng) * sum(request.species.values()))


def register() -> None:
    """Make the source known to this process."""
    cell_sources().setdefault("wyckoff", NetworkCells())
