"""Guests that repeat as their host does: one of each set of translated images is sampled, the others follow.

A slab taken out of a supercell leaves a host that repeats itself along the slab. What belongs there repeats alike, so
that a few atoms are sampled instead of dozens. Sites that the host's own pattern tells are kept nearly as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Float

from chggen.generation.continued_sites import Continued, continued, with_atoms
from chggen.generation.host import Host
from chggen.generation.host_operations import HostAtoms, host_translations
from chggen.generation.host_starts import GivenHost, PrototypeSites
from chggen.generation.start import CellDrawer, Start
from chggen.regions import drawn_apart
from chggen.symmetry import Orbits

_ON_SITES: Final = 0.1  # Å, the largest noise on guests whose sites the pattern tells


@dataclass(frozen=True)
class RepeatedGuests(GivenHost):
    """A host with regions, some of whose guests are on known sites, and all of which repeat as the host does.

    Attributes:
        continued: The known sites, and the translations by which guests repeat.
        named: Name of the source.
    """

    continued: Continued | None = None
    named: str = "orbits"

    @property
    def source(self) -> str:
        """Name of the source."""
        return self.named

    @property
    def on_orbits(self) -> bool:
        """Whether guests repeat."""
        assert self.continued is not None
        return len(self.continued.translations) > 1

    @property
    def symmetric(self) -> bool:
        """False: relaxation is free."""
        return False

    def draw(self, seed: int, cell_drawer: CellDrawer | None = None) -> tuple[Host, Orbits | None]:
        """Return the host with guests on known sites and at drawn places, and the orbits where they repeat.

        Args:
            seed: Random seed of the try.
            cell_drawer: Not needed.

        Raises:
            InputError: The regions have no room for the guests.
        """
        assert self.continued is not None
        host, known, shifts = self.host, self.continued.sites, self.continued.translations
        held = with_atoms(host.framework, known)
        left = {symbol: count - len(known[symbol]) for symbol, count in host.guests.items()}
        drawn = drawn_apart(held, left, host.regions or {}, np.random.default_rng(seed), shifts)
        n_host = len(host.framework)
        sites, caps = [], [np.full(n_host, np.inf) if host.caps is None else host.caps[:n_host]]
        for symbol, count in left.items():
            sites += [known[symbol], drawn[:count]]
            caps += [np.full(len(known[symbol]), _ON_SITES), np.full(count, np.inf)]
            drawn = drawn[count:]
        filled = replace(host, sites=np.concatenate(sites), caps=np.concatenate(caps))
        return filled, _orbits(filled, shifts) if self.on_orbits else None

    def redraw(self, k: int) -> GivenHost:
        """Return the host with its guests anywhere.

        Args:
            k: Which redraw it is.
        """
        return GivenHost(self.host)


def continued_guests(host: Host, name: str, entire: bool = False) -> Start | None:
    """Return the start from the sites by which a host's own pattern goes on; None where it tells none.

    Args:
        host: A host whose guests have regions.
        name: Name of the source.
        entire: Whether only a pattern that tells the sites of all guests counts.
    """
    found = continued(host)
    if found is None or not found.found or (entire and found.found < sum(host.guests.values())):
        return None
    if found.found == sum(host.guests.values()):
        return PrototypeSites(GivenHost(host), np.concatenate(list(found.sites.values())), source=name)
    return RepeatedGuests(host, continued=_fitting(host, found), named=name)


def repeated_guests(host: Host) -> RepeatedGuests | None:
    """Return the start whose guests repeat as their host does; None where it does not repeat, or they do not fit.

    Args:
        host: A host whose guests have regions.
    """
    if not host.regions or len(host.framework) < 2:
        return None
    translations = host_translations(host, HostAtoms.of(host.framework))
    alone = _fitting(host, Continued({symbol: np.zeros((0, 3)) for symbol in host.guests}, translations))
    return RepeatedGuests(host, continued=alone) if len(alone.translations) > 1 else None


def _fitting(host: Host, found: Continued) -> Continued:
    """Return the known sites with the largest group of translations by which the guests can repeat."""
    return replace(found, translations=_repeating(host, found))


def _repeating(host: Host, found: Continued) -> Float[np.ndarray, "translations 3"]:
    """Return the largest group of a host's translations by which its guests can repeat."""
    common = int(np.gcd.reduce(list(host.guests.values())))
    every = found.translations
    if not common % len(every):
        return every
    groups = [_generated(every[[k]]) for k in range(1, len(every))]
    groups += [_generated(every[[j, k]]) for k in range(1, len(every)) for j in range(1, k)]
    fitting = [group for group in groups if not common % len(group)]
    return max(fitting, key=len, default=every[:1])


def _generated(by: np.ndarray) -> np.ndarray:
    """Return the group of translations modulo the lattice that some of them generate."""
    found = [np.zeros(3)]
    for start in found:
        for step in by:
            new = start + step
            off = np.array(found) - new
            if np.abs(off - np.round(off)).max(1).min() > 1e-3:
                found.append(new % 1.0)
    return np.array(found)


def _orbits(host: Host, shifts: np.ndarray) -> Orbits:
    """Return the orbits of all atoms of a host, whose guests stand at their sites, under translations."""
    assert host.sites is not None
    frac = np.concatenate([host.framework.frac_coords.reshape(-1, 3), host.sites])
    numbers = np.array([*host.framework.atomic_numbers, *_numbers(host)])
    lattice = host.framework.lattice
    representative = np.arange(len(frac))
    translations = np.zeros((len(frac), 3))
    done = np.zeros(len(frac), dtype=bool)
    for first in range(len(frac)):
        if done[first]:
            continue
        own = np.flatnonzero(~done & (numbers == numbers[first]))
        off = (frac[first] + shifts)[:, None] - frac[own]
        off -= np.round(off)
        images = own[np.linalg.norm(off @ lattice.matrix, axis=-1).argmin(1)]
        representative[images], translations[images], done[images] = first, shifts, True
    unit = np.tile(np.eye(3), (len(frac), 1, 1))
    return Orbits(frac=frac, representative=representative, rotations=unit, translations=translations, free=unit)


def _numbers(host: Host) -> list[int]:
    """Return the atomic numbers of the guests of a host."""
    from pymatgen.core import Element

    return [Element(symbol).Z for symbol, count in host.guests.items() for _ in range(count)]
