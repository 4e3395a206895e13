"""What the candidates of a host of several parts, such as grains, start from: each part grown into the regions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from chggen.generation.built_in_guest_sources import PatternGuests
from chggen.generation.grown_sites import GrownSites
from chggen.generation.host import Host
from chggen.generation.host_starts import START_SIGMA, GivenHost
from chggen.generation.start import CellDrawer, Start
from chggen.symmetry import Orbits

_WIDTH: Final = 2.0  # Å, by which parts that grow into a region meet nearer to one or the other


@dataclass(frozen=True)
class GrownParts(GivenHost):
    """A host of several parts, such as grains, each of which grows into the regions by its own pattern.

    Attributes:
        sites: The sites by which the parts go on.
        width: How far from halfway each try lets them meet, standard deviation in Å.
        start_sigma: Standard deviation of the first perturbation of the guests, Å.
    """

    sites: GrownSites | None = None
    width: float = 0.0
    start_sigma: float = START_SIGMA  # type: ignore[assignment]

    @property
    def source(self) -> str:
        """Name of the source."""
        return PatternGuests.name

    def draw(self, seed: int, cell_drawer: CellDrawer | None = None) -> tuple[Host, Orbits | None]:
        """Return the host with guests on sites of its parts, which meet where the seed says.

        Args:
            seed: Random seed of the try.
            cell_drawer: Not needed.
        """
        assert self.sites is not None
        sites = self.sites.drawn(self.width, seed)
        return replace(self.host, sites=self.sites.drawn(0.0, seed) if sites is None else sites), None


def grown_starts(host: Host, n: int) -> list[Start]:
    """Return starts from the patterns of the parts of a host: where they meet halfway, then elsewhere.

    Args:
        host: The host and its guests.
        n: Number of starts.
    """
    sites = GrownSites.of(host)
    if sites is None or sites.drawn(0.0, 0) is None:
        return []
    return [GrownParts(host, sites=sites, width=_WIDTH if k else 0.0) for k in range(n)]
