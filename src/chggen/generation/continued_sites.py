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
    from pymatgen.core import Lattice, Structure
    from scipy.spatial import KDTree

    from chggen.generation.host import Host

_NEAR: Final = 0.4  # Å between an atom and where an operation says it is
_APART: Final = 0.7  # Å; sites that lie closer exclude each other
_LEAST_HITS: Final = 0.1  # of the atoms, which an operation has to take to others
_MOST_MISSES: Final = 0.03  # of the atoms, which it may take to places outside the region where none is
_LOOK: Final = 24  # atoms by which most operations are ruled out
_NOTHING: Final = 0  # where no atom is
_STRAIN: Final = 0.02  # by which lengths and cosines may change under a rotation of the cell
_ENOUGH: Final = 200  # operations that are asked; a large crystal has ten thousands of them


@dataclass(frozen=True)
class _Operation:
    """An operation on fractional coordinates, x -> rotation x + shift."""

    rotation: Int[np.ndarray, "3 3"]
    shift: Float[np.ndarray, "3"]

    def __call__(self, frac: np.ndarray) -> np.ndarray:
        return np.asarray(frac @ self.rotation.T + self.shift)


@dataclass(frozen=True)
class _Atoms:
    """The atoms of a host, found by where they are.

    Attributes:
        frac: Fractional coordinates in the cell, of shape (atoms, 3).
        kinds: Atomic numbers, of shape (atoms,).
        matrix: Rows of the cell, Å.
        tree: Their places and those of images just outside the cell.
        numbers: Number of the atom at each of these places.
    """

    frac: Float[np.ndarray, "atoms 3"]
    kinds: Int[np.ndarray, "atoms"]
    matrix: Float[np.ndarray, "3 3"]
    tree: KDTree
    numbers: Int[np.ndarray, "places"]

    @classmethod
    def of(cls, framework: Structure) -> _Atoms:
        """Return the atoms of a framework."""
        from scipy.spatial import KDTree

        frac, matrix = framework.frac_coords % 1.0, np.array(framework.lattice.matrix)
        edge = _NEAR * np.linalg.norm(np.linalg.inv(matrix), axis=0)  # fractional, along each axis
        images = (frac[:, None] + np.array(list(product((-1, 0, 1), repeat=3)))).reshape(-1, 3)
        close = np.flatnonzero(((images >= -edge) & (images <= 1 + edge)).all(1))
        kinds = np.array([site.specie.Z for site in framework])
        return cls(frac, kinds, matrix, KDTree(images[close] @ matrix), close // 27)

    def kinds_at(self, places: Float[np.ndarray, "places 3"]) -> Int[np.ndarray, "places"]:
        """Return the atomic number of the nearest atom at places, 0 where none is near.

        Args:
            places: Fractional coordinates of shape (places, 3).
        """
        if not len(places):
            return np.zeros(0, dtype=int)
        away, which = self.tree.query(places % 1.0 @ self.matrix, distance_upper_bound=_NEAR)
        return np.where(np.isfinite(away), self.kinds[self.numbers[np.minimum(which, len(self.numbers) - 1)]], _NOTHING)


def continued_sites(host: Host) -> Float[np.ndarray, "guests 3"] | None:
    """Return the sites of guests by which a host's own pattern goes on into their regions.

    Args:
        host: A host whose guests have regions.

    Returns:
        Fractional coordinates of shape (guests, 3), in the order of the guests: those that most operations agree on.
        None where the host shows no pattern, or the pattern has fewer sites than there are guests.
    """
    if not host.regions or len(host.framework) < 2:
        return None
    return _chosen(host, clustered(host, places_told(host)))


def places_told(host: Host) -> list[tuple[int, np.ndarray]]:
    """Return where operations take atoms of a host to, in the regions of guests and off its atoms.

    Args:
        host: A host whose guests have regions.

    Returns:
        Atomic number and fractional coordinates of each, as often as operations tell it.
    """
    atoms = _Atoms.of(host.framework)
    found: list[tuple[int, np.ndarray]] = []
    for operation in _operations(host, atoms):
        moved = operation(atoms.frac)
        free = atoms.kinds_at(moved) == _NOTHING
        for symbol in host.guests:
            own = np.flatnonzero(free & (atoms.kinds == _number(symbol)))
            own = own[_inside(host, symbol, moved[own])]
            found += [(_number(symbol), place % 1.0) for place in moved[own]]
    return found


def _operations(host: Host, atoms: _Atoms) -> list[_Operation]:
    """Return operations that take the atoms of a host into each other, but for what lies in the regions."""
    rarest = min(Counter(atoms.kinds.tolist()).items(), key=lambda entry: (entry[1], entry[0]))[0]
    own = atoms.frac[atoms.kinds == rarest]
    rng = np.random.default_rng(0)
    look = rng.permutation(len(atoms.frac))[:_LOOK]
    found: list[_Operation] = []
    possible = list(product(_rotations(host.framework.lattice), own))
    for k in rng.permutation(len(possible)):
        rotation, target = possible[k]
        operation = _Operation(rotation, target - rotation @ own[0])
        if (rotation == np.eye(3)).all() and not np.abs(operation.shift).max():
            continue
        some = atoms.kinds_at(operation(atoms.frac[look])) == atoms.kinds[look]
        if some.sum() < _LEAST_HITS * len(look) / 2:
            continue
        moved = operation(atoms.frac)
        hit = atoms.kinds_at(moved) == atoms.kinds
        if hit.sum() < _LEAST_HITS * len(atoms.frac):
            continue
        missed = np.flatnonzero(~hit)
        known = ~np.any([_inside(host, symbol, moved[missed]) for symbol in host.regions or {}], axis=0)
        if known.sum() <= _MOST_MISSES * len(atoms.frac):
            found.append(operation)
            if len(found) == _ENOUGH:
                break
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


def _inside(host: Host, symbol: str, places: np.ndarray) -> Bool[np.ndarray, "places"]:
    """Return which places lie in the region of a species."""
    region = region_for(host.regions, symbol)
    if region is None:
        return np.ones(len(places), dtype=bool)
    return np.asarray(region.contains(places @ host.framework.lattice.matrix), dtype=bool)


def clustered(host: Host, found: list[tuple[int, np.ndarray]]) -> list[tuple[int, int, np.ndarray]]:
    """Return sites, each of places that lie together.

    Args:
        host: The host.
        found: Atomic number and fractional coordinates of each place.

    Returns:
        Of each site how many places it stands for, its atomic number and its fractional coordinates.
    """
    sites: list[tuple[int, int, np.ndarray]] = []
    left = found
    while left:
        kind, place = left[0]
        off = np.array([other for _, other in left]) - place
        off -= np.round(off)
        near = np.linalg.norm(off @ host.framework.lattice.matrix, axis=-1) < _NEAR
        same = near & (np.array([k for k, _ in left]) == kind)
        sites.append((int(same.sum()), kind, place + off[same].mean(0)))
        left = [entry for entry, gone in zip(left, same, strict=True) if not gone]
    return sites


def _chosen(host: Host, sites: list[tuple[int, int, np.ndarray]]) -> Float[np.ndarray, "guests 3"] | None:
    """Return the sites for the guests that come most often; None where they are too few."""
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
