"""Sites by which a host's own pattern goes on into a region: where its symmetry puts atoms that are not there.

A crystal with a hole still shows its symmetry outside the hole. Every operation that takes the atoms around it into
each other tells where atoms of the hole belong. No table of known crystals is needed, and the crystal may be strained.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np
from jaxtyping import Bool, Float, Int

from chggen.regions import region_for

if TYPE_CHECKING:
    from pymatgen.core import Lattice

    from chggen.generation.host import Host

_NEAR: Final = 0.4  # Å between an atom and where an operation says it is
_APART: Final = 0.7  # Å; sites that lie closer exclude each other
_LEAST_HITS: Final = 0.1  # of the atoms, which an operation has to take to others
_MOST_MISSES: Final = 0.03  # of the atoms, which it may take to places outside the region where none is
_LOOK: Final = 24  # atoms by which most operations are ruled out
_STRAIN: Final = 0.02  # by which lengths and cosines may change under a rotation of the cell
_MOST_ATOMS: Final = 600  # of a host; larger ones would take minutes


@dataclass(frozen=True)
class _Operation:
    """An operation on fractional coordinates, x -> rotation x + shift."""

    rotation: Int[np.ndarray, "3 3"]
    shift: Float[np.ndarray, "3"]

    def __call__(self, frac: np.ndarray) -> np.ndarray:
        return np.asarray(frac @ self.rotation.T + self.shift)


def continued_sites(host: Host) -> Float[np.ndarray, "guests 3"] | None:
    """Return the sites of guests by which a host's own pattern goes on into their regions.

    Args:
        host: A host whose guests have regions.

    Returns:
        Fractional coordinates of shape (guests, 3), in the order of the guests: those that most operations agree on.
        None where the host shows no pattern, or the pattern has fewer sites than there are guests.
    """
    framework = host.framework
    if not host.regions or not 2 <= len(framework) <= _MOST_ATOMS:
        return None
    frac = framework.frac_coords % 1.0
    numbers = np.array([site.specie.Z for site in framework])
    found: list[tuple[int, np.ndarray]] = []
    for operation in _operations(host, frac, numbers):
        moved = operation(frac)
        free = ~_meets(framework.lattice, moved, frac)[0]
        for symbol in host.guests:
            own = np.flatnonzero(free & (numbers == _number(symbol)))
            own = own[_inside(host, symbol, moved[own])]
            found += [(_number(symbol), place % 1.0) for place in moved[own]]
    return _chosen(host, found)


def _operations(host: Host, frac: np.ndarray, numbers: np.ndarray) -> list[_Operation]:
    """Return the operations that take the atoms of a host into each other, but for what lies in the regions."""
    lattice = host.framework.lattice
    rarest = min(Counter(numbers.tolist()).items(), key=lambda entry: (entry[1], entry[0]))[0]
    own = frac[numbers == rarest]
    rng = np.random.default_rng(0)
    look = rng.permutation(len(frac))[:_LOOK]
    found = []
    for rotation in _rotations(lattice):
        for target in own:
            operation = _Operation(rotation, target - rotation @ own[0])
            if (rotation == np.eye(3)).all() and not np.abs(operation.shift).max():
                continue
            some = _meets(lattice, operation(frac[look]), frac, numbers[look], numbers)[1]
            if some.sum() < _LEAST_HITS * len(look) / 2:
                continue
            moved = operation(frac)
            hit = _meets(lattice, moved, frac, numbers, numbers)[1]
            if hit.sum() < _LEAST_HITS * len(frac):
                continue
            missed = np.flatnonzero(~hit)
            known = ~np.any([_inside(host, symbol, moved[missed]) for symbol in host.regions or {}], axis=0)
            if known.sum() <= _MOST_MISSES * len(frac):
                found.append(operation)
    return found


def _rotations(lattice: Lattice) -> list[np.ndarray]:
    """Return the rotations, on fractional coordinates, that keep a lattice as it is, nearly."""
    every = np.array(list(product((-1, 0, 1), repeat=9))).reshape(-1, 3, 3)
    every = every[np.abs(np.abs(np.linalg.det(every)) - 1) < 0.5]
    metric = lattice.matrix @ lattice.matrix.T
    length = np.sqrt(np.diag(metric))
    turned = np.transpose(every, (0, 2, 1)) @ metric @ every
    off = np.abs(turned - metric) / np.outer(length, length)
    return list(every[off.max(axis=(1, 2)) < 2 * _STRAIN])


def _meets(
    lattice: Lattice,
    places: np.ndarray,
    frac: np.ndarray,
    kinds: np.ndarray | None = None,
    numbers: np.ndarray | None = None,
) -> tuple[Bool[np.ndarray, "places"], Bool[np.ndarray, "places"]]:
    """Return which places an atom is at, and which an atom of their own kind is at, where kinds are given."""
    off = places[:, None] - frac
    off -= np.round(off)
    near = np.linalg.norm(off @ lattice.matrix, axis=-1) < _NEAR
    alike = near if kinds is None or numbers is None else near & (kinds[:, None] == numbers)
    return near.any(1), alike.any(1)


def _inside(host: Host, symbol: str, places: np.ndarray) -> Bool[np.ndarray, "places"]:
    """Return which places lie in the region of a species."""
    region = region_for(host.regions, symbol)
    if region is None:
        return np.ones(len(places), dtype=bool)
    return np.asarray(region.contains(places @ host.framework.lattice.matrix), dtype=bool)


def _chosen(host: Host, found: list[tuple[int, np.ndarray]]) -> Float[np.ndarray, "guests 3"] | None:
    """Return the sites for the guests that come most often; None where they are too few."""
    sites: list[tuple[int, int, np.ndarray]] = []  # how often, kind, place
    left = found
    while left:
        kind, place = left[0]
        off = np.array([other for _, other in left]) - place
        off -= np.round(off)
        near = np.linalg.norm(off @ host.framework.lattice.matrix, axis=-1) < _NEAR
        same = near & (np.array([k for k, _ in left]) == kind)
        sites.append((int(same.sum()), kind, place + off[same].mean(0)))
        left = [entry for entry, gone in zip(left, same, strict=True) if not gone]
    wanted = {_number(symbol): count for symbol, count in host.guests.items()}
    taken: dict[int, list[np.ndarray]] = {kind: [] for kind in wanted}
    everywhere: list[np.ndarray] = []
    for _, kind, place in sorted(sites, key=lambda site: (-site[0], site[1], tuple(site[2]))):
        off = np.array(everywhere).reshape(-1, 3) - place
        off -= np.round(off)
        clear = bool((np.linalg.norm(off @ host.framework.lattice.matrix, axis=-1) > _APART).all())
        if len(taken[kind]) < wanted[kind] and clear:
            taken[kind].append(place)
            everywhere.append(place)
    if any(len(taken[kind]) < count for kind, count in wanted.items()):
        return None
    return np.array([place for kind in wanted for place in taken[kind]])


def _number(symbol: str) -> int:
    from pymatgen.core import Element

    return int(Element(symbol).Z)
