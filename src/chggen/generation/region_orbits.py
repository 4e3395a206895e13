"""Guests in regions on orbits of the whole group that their host has with what was taken out of it.

A cell with two like grain boundaries, or a bulk with a hole in it, keeps operations that take region onto region. What
belongs there often keeps some of them, so that a few atoms are sampled instead of dozens.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from chggen.generation.host import Host
from chggen.generation.host_operations import inside
from chggen.generation.host_starts import GivenHost, OnOrbits, from_orbits
from chggen.generation.start import CellDrawer

if TYPE_CHECKING:
    from chggen.symmetry import Orbits

_DRAWS: Final = 5  # draws of orbits, of which the first is taken whose guests lie in their regions


class RegionOrbits(OnOrbits):
    """A host with regions whose guests start in these on orbits of its group, and may leave them when relaxed."""

    def draw(self, seed: int, cell_drawer: CellDrawer | None = None) -> tuple[Host, Orbits | None]:
        """Return the host and drawn orbits of all its atoms, the guests in their regions.

        Args:
            seed: Random seed of the try.
            cell_drawer: Not needed.

        Raises:
            InputError: No orbits were drawn in the regions, which have no room for the guests on none either.
        """
        host = self.host
        assert host.orbits is not None
        names = np.repeat(list(host.guests), list(host.guests.values()))
        for each in np.random.default_rng(seed).integers(2**32, size=_DRAWS):
            orbits = host.orbits.draw(int(each))
            sites = orbits.frac[len(host.framework) :]
            if all(inside(host, symbol, sites[names == symbol] % 1.0).all() for symbol in host.guests):
                return replace(host, sites=sites), orbits
        return self.redraw(1).draw(seed)

    def redraw(self, k: int) -> GivenHost:
        """Return the host with its guests anywhere in their regions.

        Args:
            k: Which redraw it is.
        """
        return GivenHost(replace(self.host, orbits=None))


def region_orbits(host: Host) -> RegionOrbits | None:
    """Return the start on orbits of the group of a host with regions; None where it has none or the guests do not fit.

    Args:
        host: A host whose guests have regions.
    """
    start = from_orbits(host)
    return None if start is None else RegionOrbits(start.host)
