"""The symmetry that a host with a hole still shows: operations that take the atoms around the hole into each other."""

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

    from chggen.generation.host import Host

NEAR: Final = 0.4
"""Å between an atom and where an operation says it is."""
_LEAST_HITS: Final = 0.1  # of the atoms, which an operation has to take to others
_MOST_MISSES: Final = 0.03  # of the atoms, which it may take to places outside the region where none is
_LOOK: Final = 24  # atoms by which most operations are ruled out
_STRAIN: Final = 0.02  # by which lengths and cosines may change under a rotation of the cell
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


def host_operations(host: Host) -> list[HostOperation]:
    """Return the operations that take the atoms of a host into each other, but for what lies in the regions.

    Args:
        host: A host whose guests have regions.
    """
    lattice, (frac, numbers) = host.framework.lattice, places_of(host.framework)
    rarest = min(Counter(numbers.tolist()).items(), key=lambda entry: (entry[1], entry[0]))[0]
    own = frac[numbers == rarest]
    rng = np.random.default_rng(0)
    look = rng.permutation(len(frac))[:_LOOK]
    found = []
    for rotation in _rotations(lattice):
        for target in own:
            operation = HostOperation(rotation, target - rotation @ own[0])
            if (rotation == np.eye(3)).all() and not np.abs(operation.shift).max():
                continue
            some = meets(lattice, operation(frac[look]), frac, numbers[look], numbers)[1]
            if some.sum() < _LEAST_HITS * len(look) / 2:
                continue
            moved = operation(frac)
            hit = meets(lattice, moved, frac, numbers, numbers)[1]
            if hit.sum() < _LEAST_HITS * len(frac):
                continue
            missed = np.flatnonzero(~hit)
            known = ~np.any([inside(host, symbol, moved[missed]) for symbol in host.regions or {}], axis=0)
            if known.sum() <= _MOST_MISSES * len(frac):
                found.append(operation)
    return found


def host_translations(host: Host, operations: list[HostOperation]) -> Float[np.ndarray, "translations 3"]:
    """Return the translations by which a host with its regions repeats itself within its cell.

    Args:
        host: A host whose guests have regions.
        operations: Its operations.

    Returns:
        Fractional translations of shape (translations, 3), no translation first. Each leads from the first atom of the
        rarest species exactly to another one.
    """
    lattice, (frac, numbers) = host.framework.lattice, places_of(host.framework)
    rng = np.random.default_rng(0)
    drawn = [(region, region.draw(_POINTS, rng)) for region in (host.regions or {}).values()]
    kept = [np.zeros(3)]
    for operation in operations:
        shifted = (operation.rotation == np.eye(3)).all()
        if shifted and meets(lattice, operation(frac), frac, numbers, numbers)[1].all():
            by = operation.shift @ lattice.matrix
            if all(region.contains(points + by).mean() >= _KEPT for region, points in drawn):
                kept.append(operation.shift)
    return np.array(kept)


def places_of(structure: Structure) -> tuple[Float[np.ndarray, "atoms 3"], Int[np.ndarray, "atoms"]]:
    """Return fractional coordinates within the cell, and atomic numbers, of the atoms of a structure.

    Args:
        structure: The structure.
    """
    return structure.frac_coords % 1.0, np.array([site.specie.Z for site in structure])


def meets(
    lattice: Lattice,
    places: np.ndarray,
    frac: np.ndarray,
    kinds: np.ndarray | None = None,
    numbers: np.ndarray | None = None,
) -> tuple[Bool[np.ndarray, "places"], Bool[np.ndarray, "places"]]:
    """Return which places an atom is at, and which an atom of their own kind is at, where kinds are given.

    Args:
        lattice: The lattice.
        places: Fractional coordinates of shape (places, 3).
        frac: Fractional coordinates of the atoms, of shape (atoms, 3).
        kinds: Atomic number that belongs to each place.
        numbers: Atomic numbers of the atoms.
    """
    off = places[:, None] - frac
    off -= np.round(off)
    near = np.linalg.norm(off @ lattice.matrix, axis=-1) < NEAR
    alike = near if kinds is None or numbers is None else near & (kinds[:, None] == numbers)
    return near.any(1), alike.any(1)


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


def _rotations(lattice: Lattice) -> list[np.ndarray]:
    """Return the rotations, on fractional coordinates, that keep a lattice as it is, nearly."""
    every = np.array(list(product((-1, 0, 1), repeat=9))).reshape(-1, 3, 3)
    every = every[np.abs(np.abs(np.linalg.det(every)) - 1) < 0.5]
    metric = lattice.matrix @ lattice.matrix.T
    length = np.sqrt(np.diag(metric))
    turned = np.transpose(every, (0, 2, 1)) @ metric @ every
    off = np.abs(turned - metric) / np.outer(length, length)
    return list(every[off.max(axis=(1, 2)) < 2 * _STRAIN])
