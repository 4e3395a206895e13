"""The symmetry that a host with a hole still shows: operations that take the atoms around the hole into each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
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

NEAR: Final = 0.4
"""Å between an atom and where an operation says it is."""
NOTHING: Final = 0
"""The atomic number of a place where no atom is."""
_LEAST_HITS: Final = 0.1  # of the atoms, which an operation has to take to others
_MOST_MISSES: Final = 0.03  # of the atoms, which it may take to places outside the region where none is
_LOOK: Final = 24  # atoms by which most operations are ruled out
_STRAIN: Final = 0.02  # by which lengths and cosines may change under a rotation of the cell
_ENOUGH: Final = 200  # operations that are asked; a large crystal has ten thousands of them
_POINTS: Final = 200  # of a region, by which a translation is seen to keep it
_KEPT: Final = 0.95  # of these points, which stay inside


@dataclass(frozen=True)
class HostOperation:
    """An operation on fractional coordinates, x -> rotation x + shift."""

    rotation: Int[np.ndarray, "3 3"]
    shift: Float[np.ndarray, "3"]

    def __call__(self, frac: np.ndarray) -> np.ndarray:
        """Return moved fractional coordinates, of shape (places, 3)."""
        return np.asarray(frac @ self.rotation.T + self.shift)


@dataclass(frozen=True)
class HostAtoms:
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
    def of(cls, framework: Structure) -> HostAtoms:
        """Return the atoms of a framework.

        Args:
            framework: An ordered structure.
        """
        from scipy.spatial import KDTree

        frac, matrix = framework.frac_coords % 1.0, np.array(framework.lattice.matrix)
        edge = NEAR * np.linalg.norm(np.linalg.inv(matrix), axis=0)  # fractional, along each axis
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
        away, which = self.tree.query(places % 1.0 @ self.matrix, distance_upper_bound=NEAR)
        return np.where(np.isfinite(away), self.kinds[self.numbers[np.minimum(which, len(self.numbers) - 1)]], NOTHING)


def host_operations(host: Host, atoms: HostAtoms) -> list[HostOperation]:
    """Return operations that take the atoms of a host into each other, but for what lies in the regions.

    Args:
        host: A host whose guests have regions.
        atoms: Its atoms.

    Returns:
        At most 200 of the operations, drawn from all.
    """
    own = _rarest(atoms)
    rng = np.random.default_rng(0)
    look = rng.permutation(len(atoms.frac))[:_LOOK]
    found: list[HostOperation] = []
    possible = list(product(_rotations(host.framework.lattice), own))
    for k in rng.permutation(len(possible)):
        rotation, target = possible[k]
        operation = HostOperation(rotation, target - rotation @ own[0])
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
        known = ~np.any([inside(host, symbol, moved[missed]) for symbol in host.regions or {}], axis=0)
        if known.sum() <= _MOST_MISSES * len(atoms.frac):
            found.append(operation)
            if len(found) == _ENOUGH:
                break
    return found


def host_translations(host: Host, atoms: HostAtoms) -> Float[np.ndarray, "translations 3"]:
    """Return the translations by which a host with its regions repeats itself within its cell.

    Args:
        host: A host whose guests have regions.
        atoms: Its atoms.

    Returns:
        Fractional translations of shape (translations, 3), no translation first.
    """
    rng = np.random.default_rng(0)
    drawn = [(region, region.draw(_POINTS, rng)) for region in (host.regions or {}).values()]
    own = _rarest(atoms)
    kept = [np.zeros(3)]
    for target in own[1:]:
        shift = target - own[0]
        if (atoms.kinds_at(atoms.frac + shift) == atoms.kinds).all():
            by = shift @ atoms.matrix
            if all(region.contains(points + by).mean() >= _KEPT for region, points in drawn):
                kept.append(shift)
    return np.array(kept)


def inside(host: Host, symbol: str, places: np.ndarray) -> Bool[np.ndarray, "places"]:
    """Return which places lie in the region of a species.

    Args:
        host: A host whose guests have regions.
        symbol: Symbol of the species.
        places: Fractional coordinates of shape (places, 3).
    """
    region = region_for(host.regions, symbol)
    if region is None:
        return np.ones(len(places), dtype=bool)
    return np.asarray(region.contains(places @ host.framework.lattice.matrix), dtype=bool)


def _rarest(atoms: HostAtoms) -> Sequence[np.ndarray]:
    """Return the places of the species with the fewest atoms."""
    rarest = min(Counter(atoms.kinds.tolist()).items(), key=lambda entry: (entry[1], entry[0]))[0]
    return list(atoms.frac[atoms.kinds == rarest])


def _rotations(lattice: Lattice) -> list[np.ndarray]:
    """Return the rotations, on fractional coordinates, that keep a lattice as it is, nearly."""
    every = np.array(list(product((-1, 0, 1), repeat=9))).reshape(-1, 3, 3)
    every = every[np.abs(np.abs(np.linalg.det(every)) - 1) < 0.5]
    metric = lattice.matrix @ lattice.matrix.T
    length = np.sqrt(np.diag(metric))
    turned = np.transpose(every, (0, 2, 1)) @ metric @ every
    off = np.abs(turned - metric) / np.outer(length, length)
    return list(every[off.max(axis=(1, 2)) < 2 * _STRAIN])
