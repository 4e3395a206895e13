"""A source of cells whose space groups and Wyckoff positions a network draws, for unknown.py: `cells_from=["wyckoff"]`.

For each composition 2,000 assignments are drawn once, from a fixed seed; each try takes one of the distinct ones,
weighted by the square root of how often it was drawn, so that rare ones are tried as well. They are dealt out to 20
niches, and each candidate races those of one niche alone, so that not all candidates end in the same crystal.
"""

from __future__ import annotations

from collections import Counter
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
POOL, NICHES = 2000, 20


@lru_cache(maxsize=1)
def network() -> WyckoffNetwork:
    """The committed one."""
    return read(WEIGHTS)


@lru_cache(maxsize=64)
def pool(species: tuple[tuple[str, int], ...]) -> tuple[list[Assignment], np.ndarray]:
    """The assignments of a composition, and how likely each is taken."""
    counts = {Element(symbol).Z: n for symbol, n in species}
    symbols = [Element.from_Z(z).symbol for z in ordered(counts)]
    found = []
    often = Counter((n, tuple(orbits)) for n, orbits in drawn(network(), counts, POOL, np.random.default_rng(0)))
    for (number, orbits), _ in often.most_common():
        letters = dict.fromkeys(symbols, "")
        for s, k in orbits:
            letters[symbols[s]] += network().positions.letters[number][k]
        found.append(Assignment(number=number, letters=letters))
    weights = np.sqrt([n for _, n in often.most_common()])
    return found, weights / weights.sum()


@dataclass(frozen=True)
class NetworkCell(SpaceGroupCell):
    """A cell in a space group that the network draws, another one for each try."""

    niche: int = 0
    source: str = "wyckoff"

    def draw(self, seed: int, cell_drawer: CellDrawer | None = None) -> tuple[Host, Orbits]:
        """The empty host and its orbits."""
        ways, odds = pool(tuple(sorted(self.species.items())))
        own = np.arange(self.niche, len(ways), NICHES) if len(ways) > NICHES else np.arange(len(ways))
        rng = np.random.default_rng(seed)

        def assigned(rng: np.random.Generator) -> Assignment:
            return ways[int(rng.choice(own, p=odds[own] / odds[own].sum()))]

        host = symmetric_cell(self.species, self.cell_volume, rng, assigned=assigned)
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
        volume = request.volume.draw(request.rng) * sum(request.species.values())
        return NetworkCell(request.species, volume, niche=request.rank % NICHES)


def register() -> None:
    """Make the source known to this process."""
    cell_sources().setdefault("wyckoff", NetworkCells())
