"""A start whose guests are sampled anywhere in a symmetric host and then made symmetric, as far as they nearly are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from chggen.generation.host_orbits import kept_orbits
from chggen.generation.host_starts import GivenHost
from chggen.symmetry import Orbits

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from chggen.generation.host import Host
    from chggen.generation.start import CellDrawer


@dataclass(frozen=True)
class MadeSymmetric(GivenHost):
    """A symmetrised host whose guests start anywhere, and are made symmetric once they are sampled.

    Orbits that are drawn are often the wrong ones. Where the network puts the guests tells which they take.

    Attributes:
        host: The host and its guests, with a plan of orbits for what is drawn anew.
    """

    @property
    def source(self) -> str:
        """`anywhere`."""
        return "anywhere"

    @property
    def on_orbits(self) -> bool:
        """False: guests are sampled freely."""
        return False

    @property
    def symmetric(self) -> bool:
        """True: what is made keeps its symmetry when it is relaxed."""
        return True

    def draw(self, seed: int, cell_drawer: CellDrawer | None = None) -> tuple[Host, Orbits | None]:
        """Return the host without orbits.

        Args:
            seed: Random seed of the try.
            cell_drawer: Not needed.
        """
        return replace(self.host, orbits=None).filled(seed), None

    def redraw(self, k: int) -> GivenHost:
        """Return the host with drawn orbits: those of its group first, then those of smaller subgroups.

        Args:
            k: Which redraw it is.
        """
        return GivenHost(self.host).redraw(k - 1)

    def settled(self, structure: Structure) -> Structure | str:
        """Return a sample with its guests made symmetric by those operations of the host that nearly keep them.

        Args:
            structure: The sample: host atoms, then guests.

        Returns:
            The symmetric structure; a reason where nothing above P1 and P-1 is nearly kept.
        """
        n = len(self.host.framework)
        kept = kept_orbits(self.host, structure.frac_coords[n:])
        if kept is None:
            return "the guests keep nothing of the host's group above P1 and P-1"
        frac = np.concatenate([np.asarray(self.host.framework.frac_coords).reshape(-1, 3), kept[0]])
        return type(structure)(structure.lattice, structure.species, frac, site_properties=structure.site_properties)
