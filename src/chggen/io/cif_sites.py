"""Sites of a CIF and their images under its symmetry operations, with coordinates that were rounded put right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float

from chggen.errors import InputError

_NEAR: Final = 0.05  # Å; images of a site that are closer are one position
_NEAREST: Final = 0.5  # Å; no two nuclei of a crystal are closer
_FARTHEST: Final = 0.3  # Å; with few digits images may be as far apart and still be one position
_SAME: Final = 1e-3  # Å; positions of an exact site that are closer are equal
_AS_LISTED: Final = 2e-4  # Å; positions of a site as listed that are closer are equal up to the precision of numbers
_FRACTIONS: Final = 24  # translations of operations are multiples of 1/24
_ROUNDED: Final = 2e-3  # fractional; translations that are closer to such a multiple were rounded
FULL: Final = 0.99
"""Occupancy from which on a site counts as one that holds an atom in every cell."""


@dataclass(frozen=True)
class Operations:
    """Symmetry operations of a CIF, in fractional coordinates of its cell.

    Attributes:
        rotations: Rotation parts, of shape (operations, 3, 3).
        translations: Translations, of shape (operations, 3).
        time_reversal: 1 or -1 for each, of shape (operations,); all 1 without magnetism.
    """

    rotations: Float[np.ndarray, "operations 3 3"]
    translations: Float[np.ndarray, "operations 3"]
    time_reversal: Float[np.ndarray, "operations"]

    def with_exact_translations(self) -> Operations:
        """Return the same operations with translations such as 0.333 as the fractions that they stand for."""
        exact = np.round(self.translations * _FRACTIONS) / _FRACTIONS
        rounded = np.abs(exact - self.translations) < _ROUNDED
        return Operations(self.rotations, np.where(rounded, exact, self.translations), self.time_reversal)


@dataclass(frozen=True)
class Orbit:
    """The positions of one listed site.

    Attributes:
        frac_coords: Fractional coordinates in [0, 1), of shape (positions, 3).
        operations: The operation that makes each from the listed one, of shape (positions,).
        merged: How many positions there would be more with the coordinates as they are listed.
        apart: Largest distance in Å of positions that were merged; 0 where none were.
    """

    frac_coords: Float[np.ndarray, "positions 3"]
    operations: np.ndarray
    merged: int
    apart: float


def orbit_of(
    site: Float[np.ndarray, "3"],
    operations: Operations,
    lattice: Float[np.ndarray, "3 3"],
    *,
    digits: int,
    occupancy: float,
    label: str,
) -> Orbit:
    """Return the positions of a listed site.

    Images of the site that nearly coincide with it say that it lies on a special position and was rounded. It is put on
    that position, the mean of those images, so that the orbit has as many positions as it should.

    Args:
        site: Fractional coordinates as listed, of shape (3,).
        operations: The operations of the file.
        lattice: Lattice vectors in rows, of shape (3, 3), in Å.
        digits: Number of digits behind the point that the coordinates are listed with.
        occupancy: Occupancy of the site. Images of a fully occupied site are one position up to a larger distance where
            coordinates have few digits; those of a split site are left apart.
        label: Its name in the file.

    Returns:
        Its positions.

    Raises:
        InputError: Two positions of a fully occupied site are closer than any two atoms, yet too far apart to be one.
    """
    full = occupancy >= FULL
    rounding = 2 * 10.0**-digits * float(np.linalg.norm(lattice, axis=1).max())
    near = float(np.clip(rounding, _NEAR, _FARTHEST)) if full else _NEAR
    exact, apart = _special(site, operations, lattice, near)
    listed, _ = _distinct(_images(site, operations), lattice, _AS_LISTED)
    positions, makers = _distinct(_images(exact, operations), lattice, _SAME)
    if full and len(positions) > 1:
        closest = _distances(positions[1:] - positions[0], lattice).min()
        if closest < _NEAREST:
            raise InputError(
                f"site {label} has positions {closest:.2f} Å apart after the file's operations; expected at least "
                f"{_NEAREST} Å, so give its coordinates with more digits"
            )
    merged = len(listed) - len(positions)
    return Orbit(frac_coords=positions % 1.0, operations=makers, merged=merged, apart=apart if merged else 0.0)


def same_site(firsts: Float[np.ndarray, "sites 3"], orbit: Orbit, lattice: Float[np.ndarray, "3 3"]) -> bool:
    """Return whether a listed site has the positions of one of some sites of as many positions.

    Args:
        firsts: The first position of each of these sites, fractional, of shape (sites, 3).
        orbit: Positions of the listed site.
        lattice: Lattice vectors in rows, of shape (3, 3), in Å.
    """
    return bool((_distances(orbit.frac_coords[:, None] - firsts, lattice) < _NEAR).any())


def _special(
    site: Float[np.ndarray, "3"], operations: Operations, lattice: Float[np.ndarray, "3 3"], near: float
) -> tuple[Float[np.ndarray, "3"], float]:
    """Return the site on the special position that it is near to, and how far its images were apart, in Å."""
    stays = np.zeros(len(operations.rotations), dtype=bool)
    apart = 0.0
    for _ in range(len(stays)):
        off = _images(site, operations) - site
        off -= np.round(off)
        distance = np.linalg.norm(off @ lattice, axis=1)
        found = stays | (distance < near)
        apart = max(apart, float(distance[found].max()))
        if (found == stays).all():
            break
        stays = found
        site = site + off[stays].mean(axis=0)
    return site, apart


def _images(site: Float[np.ndarray, "3"], operations: Operations) -> Float[np.ndarray, "operations 3"]:
    return np.asarray(operations.rotations @ site + operations.translations)


def _distinct(
    points: Float[np.ndarray, "points 3"], lattice: Float[np.ndarray, "3 3"], same: float
) -> tuple[Float[np.ndarray, "distinct 3"], np.ndarray]:
    """Return the points that differ by more than `same` (Å) modulo the lattice, and the index of the first of each."""
    kept: list[int] = []
    for k, point in enumerate(points):
        if not kept or _distances(points[kept] - point, lattice).min() > same:
            kept.append(k)
    return points[kept], np.array(kept)


def _distances(off: Float[np.ndarray, "*points 3"], lattice: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "*points"]:
    """Return lengths of fractional vectors modulo the lattice, in Å; right for short ones, never too short."""
    return np.asarray(np.linalg.norm((off - np.round(off)) @ lattice, axis=-1))
