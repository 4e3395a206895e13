"""What the candidates of a host start from: guests on sites of known prototypes, on orbits or anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Float

from chggen.errors import InputError
from chggen.generation.host import Host
from chggen.generation.host_orbits import lowered, on_orbits, symmetrised
from chggen.generation.start import CellDrawer, Start
from chggen.symmetry import Orbits

START_SIGMA: Final = 0.1  # Å; 0.05 to 0.3 do as well on hosts of the val split


@dataclass(frozen=True)
class GivenHost:
    """A host that is the same in every try.

    Its guests start anywhere. If the host has a plan of orbits, they start on orbits that each try draws for itself.

    Attributes:
        host: The host and its guests.
        thorough: Whether more tries than usual are made where guests that start anywhere come to nothing twice.
    """

    host: Host
    thorough: bool = False
    start_sigma: None = None
    prototype_log_odds: None = None

    @property
    def species(self) -> dict[str, int]:
        """Element symbol to number of atoms, those of the host and its guests together."""
        held = {k: int(v) for k, v in self.host.framework.composition.get_el_amt_dict().items() if v}
        return {s: held.get(s, 0) + self.host.guests.get(s, 0) for s in (*held, *self.host.guests)}

    @property
    def source(self) -> str:
        """`orbits` or `anywhere`, by where guests start."""
        return "orbits" if self.on_orbits else "anywhere"

    @property
    def de_novo(self) -> bool:
        """Whether the host is empty."""
        return not len(self.host.framework)

    @property
    def on_orbits(self) -> bool:
        """Whether guests start on orbits."""
        return self.host.orbits is not None

    @property
    def symmetric(self) -> bool:
        """Whether what is made keeps its symmetry when it is relaxed."""
        return self.on_orbits

    def draw(self, seed: int, cell_drawer: CellDrawer | None = None) -> tuple[Host, Orbits | None]:
        """Return the host, and drawn orbits of all its atoms where it has a plan of orbits.

        Args:
            seed: Random seed of the try.
            cell_drawer: Not needed.

        Raises:
            InputError: A region has no room for the guests.
        """
        return self.host.filled(seed), None if self.host.orbits is None else self.host.orbits.draw(seed)

    def redraw(self, k: int) -> GivenHost:
        """Return the host with its guests on orbits of smaller subgroups.

        What turns out to be a saddle in a group may be stable in one of its subgroups.

        Args:
            k: How many times to go down to the largest of the smaller subgroups that hold the guests.
        """
        host = self.host
        for _ in range(k):
            host = lowered(host)
        return GivenHost(host)


class OnOrbits(GivenHost):
    """A host, just as it was given, whose guests start on orbits of its group and may leave them when relaxed."""

    @property
    def symmetric(self) -> bool:
        """False: relaxation is free."""
        return False


@dataclass(frozen=True)
class PrototypeSites:
    """A host with its guests on the sites of a known prototype.

    Attributes:
        given: The host.
        sites: Fractional coordinates of the guests, of shape (guests, 3), in the order of the host's guests.
        orbits: Orbits of all atoms, where the host is to be filled symmetrically.
        start_sigma: Standard deviation of the first perturbation of the guests, Å.
    """

    given: GivenHost
    sites: Float[np.ndarray, "guests 3"]
    orbits: Orbits | None = None
    start_sigma: float = START_SIGMA
    source: str = "prototype"
    prototype_log_odds: None = None

    @property
    def species(self) -> Mapping[str, int]:
        """Element symbol to number of atoms, those of the host and its guests together."""
        return self.given.species

    @property
    def de_novo(self) -> bool:
        """Whether the host is empty."""
        return self.given.de_novo

    @property
    def on_orbits(self) -> bool:
        """Whether guests are sampled on orbits."""
        return self.orbits is not None

    @property
    def symmetric(self) -> bool:
        """Whether what is made keeps its symmetry when it is relaxed."""
        return self.on_orbits

    def draw(self, seed: int, cell_drawer: CellDrawer | None = None) -> tuple[Host, Orbits | None]:
        """Return the host with the guests on their sites, and the orbits of all atoms where there are any.

        Args:
            seed: Random seed of the try.
            cell_drawer: Not needed.
        """
        return replace(self.given.host, sites=self.sites), self.orbits

    def redraw(self, k: int) -> Start:
        """Return the host with drawn orbits: those of its group first, then those of smaller subgroups.

        Args:
            k: Which redraw it is.
        """
        return self.given.redraw(k - 1)


def from_orbits(host: Host) -> OnOrbits | None:
    """Return the start on orbits of a host's own group; None where it has none or the guests do not fit.

    Args:
        host: The host and its guests.
    """
    try:
        placed = on_orbits(replace(host, framework=symmetrised(host.framework).structure))
    except InputError:
        return None
    return OnOrbits(replace(placed, framework=host.framework))
