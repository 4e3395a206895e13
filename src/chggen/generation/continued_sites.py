"""Sites by which a host's own pattern goes on into a region: where its symmetry puts atoms that are not there.

A crystal with a hole still shows its symmetry outside the hole. Every operation that takes the atoms around it into
each other tells where atoms of the hole belong. No table of known crystals is needed, and the crystal may be strained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from jaxtyping import Float

from chggen.generation.host_operations import NEAR, NOTHING, HostAtoms, host_operations, host_translations, inside

if TYPE_CHECKING:
    from pymatgen.core import Lattice, Structure

    from chggen.generation.host import Host

_APART: Final = 0.7  # Å; sites that lie closer exclude each other
_ROUNDS: Final = 4  # in which sites that were found show operations that find more


@dataclass(frozen=True)
class Continued:
    """How a host's own pattern goes on into the regions of its guests.

    Attributes:
        sites: Guest symbol to fractional coordinates, of shape (sites, 3), at most as many as there are guests of it.
        translations: Fractional translations by which the host repeats itself, of shape (translations, 3), no
            translation first.
    """

    sites: Mapping[str, Float[np.ndarray, "sites 3"]]
    translations: Float[np.ndarray, "translations 3"]

    @property
    def found(self) -> int:
        """Number of sites."""
        return sum(map(len, self.sites.values()))


def continued(host: Host) -> Continued | None:
    """Return how a host's own pattern goes on into the regions of its guests.

    Where operations do not tell all sites at once, those they tell are added to the host, whose operations may then
    tell more.

    Args:
        host: A host whose guests have regions.

    Returns:
        Sites that most operations agree on, and translations. Where there are fewer sites than guests, the sites repeat
        by the translations as the host does. None for hosts without regions, or of one atom.
    """
    if not host.regions or len(host.framework) < 2:
        return None
    translations = host_translations(host, HostAtoms.of(host.framework))
    sites = {symbol: np.zeros((0, 3)) for symbol in host.guests}
    for _ in range(_ROUNDS):
        left = {s: n - len(sites[s]) for s, n in host.guests.items() if n > len(sites[s])}
        if not left:
            break
        now = replace(host, framework=with_atoms(host.framework, sites), guests=left)
        more = _chosen(now, clustered(now, places_told(now)), translations)
        if not any(map(len, more.values())):
            break
        sites |= {symbol: np.concatenate([sites[symbol], places]) for symbol, places in more.items()}
    return Continued(sites, translations)


def places_told(host: Host) -> list[tuple[int, np.ndarray]]:
    """Return where operations take atoms of a host to, in the regions of guests and off its atoms.

    Args:
        host: A host whose guests have regions.

    Returns:
        Atomic number and fractional coordinates of each, as often as operations tell it.
    """
    atoms = HostAtoms.of(host.framework)
    found: list[tuple[int, np.ndarray]] = []
    for operation in host_operations(host, atoms):
        moved = operation(atoms.frac)
        free = atoms.kinds_at(moved) == NOTHING
        for symbol in host.guests:
            own = np.flatnonzero(free & (atoms.kinds == _number(symbol)))
            own = own[inside(host, symbol, moved[own])]
            found += [(_number(symbol), place % 1.0) for place in moved[own]]
    return found


def clustered(host: Host, found: Sequence[tuple[int, np.ndarray]]) -> list[tuple[int, int, np.ndarray]]:
    """Return sites, each of places that lie together.

    Args:
        host: The host.
        found: Atomic number and fractional coordinates of each place.

    Returns:
        Of each site how many places it stands for, its atomic number and its fractional coordinates.
    """
    sites: list[tuple[int, int, np.ndarray]] = []
    left = list(found)
    while left:
        kind, place = left[0]
        off = np.array([other for _, other in left]) - place
        off -= np.round(off)
        near = np.linalg.norm(off @ host.framework.lattice.matrix, axis=-1) < NEAR
        same = near & (np.array([k for k, _ in left]) == kind)
        sites.append((int(same.sum()), kind, place + off[same].mean(0)))
        left = [entry for entry, gone in zip(left, same, strict=True) if not gone]
    return sites


def with_atoms(framework: Structure, sites: Mapping[str, np.ndarray]) -> Structure:
    """Return a framework with atoms on sites.

    Args:
        framework: The framework. It is not changed.
        sites: Symbol to fractional coordinates, of shape (sites, 3).
    """
    filled = framework.copy()
    for symbol, places in sites.items():
        for place in places:
            filled.append(symbol, place)
    return filled


def _chosen(
    host: Host, sites: Sequence[tuple[int, int, np.ndarray]], translations: np.ndarray
) -> dict[str, Float[np.ndarray, "sites 3"]]:
    """Return the sites that come most often; where they are too few, those that repeat as the host does."""
    lattice = host.framework.lattice
    symbols = {_number(symbol): symbol for symbol in host.guests}
    taken: dict[str, list[np.ndarray]] = {symbol: [] for symbol in host.guests}
    everywhere: list[np.ndarray] = []
    for _, kind, place in sorted(sites, key=lambda site: (-site[0], site[1], tuple(site[2]))):
        symbol = symbols[kind]
        if len(taken[symbol]) < host.guests[symbol] and _clear(lattice, place, everywhere):
            taken[symbol].append(place)
            everywhere.append(place)
    if any(len(taken[symbol]) < count for symbol, count in host.guests.items()):
        taken = {symbol: _repeating(lattice, places, translations) for symbol, places in taken.items()}
    return {symbol: np.array(places).reshape(-1, 3) for symbol, places in taken.items()}


def _clear(lattice: Lattice, place: np.ndarray, others: Sequence[np.ndarray], apart: float = _APART) -> bool:
    """Return whether a place is farther from others than sites have to be."""
    off = np.array(others).reshape(-1, 3) - place
    off -= np.round(off)
    return bool((np.linalg.norm(off @ lattice.matrix, axis=-1) > apart).all())


def _repeating(lattice: Lattice, places: Sequence[np.ndarray], translations: np.ndarray) -> list[np.ndarray]:
    """Return the places whose images under all translations are places, too."""
    return [
        place for place in places if not any(_clear(lattice, place + shift, places, NEAR) for shift in translations)
    ]


def _number(symbol: str) -> int:
    from pymatgen.core import Element

    return int(Element(symbol).Z)
