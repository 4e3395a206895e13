"""Random cells of the Bravais lattices."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Float

from chggen.crystals import lattice_from_parameters, niggli_reduced

FAMILIES: Final = ("cubic", "tetragonal", "orthorhombic", "hexagonal", "rhombohedral", "monoclinic", "triclinic")
ANGLE_RANGE: Final = (50.0, 130.0)  # degrees; flatter cells hold no known crystal after reduction
_RATIO_RANGE: Final = (0.5, 2.0)  # axis ratios, drawn log-uniformly


def random_bravais_cell(cell_volume: float, rng: np.random.Generator, family: str | None = None) -> np.ndarray:
    """A random cell (3, 3), Å, of a Bravais family at the given volume (Å³), Niggli-reduced.

    Axis ratios are log-uniform; free angles are uniform in 60–120° and redrawn until the reduced cell's angles lie in
    50–130°. Raises ValueError for an unknown family or a volume that is not positive.
    """
    if cell_volume <= 0:
        raise ValueError(f"cell volume must be positive, got {cell_volume} Å³; give atoms or a volume per atom")
    chosen = family if family is not None else str(rng.choice(FAMILIES))
    while True:
        lattice = lattice_from_parameters(conventional_parameters(chosen, rng))
        lattice *= (cell_volume / abs(np.linalg.det(lattice))) ** (1 / 3)
        reduced = niggli_reduced(lattice)
        if not flat(reduced):
            return reduced


def flat(lattice: Float[np.ndarray, "3 3"]) -> bool:
    """Whether a reduced cell has an angle outside 50-130°."""
    cosines = [
        lattice[i] @ lattice[j] / np.linalg.norm(lattice[i]) / np.linalg.norm(lattice[j])
        for i, j in ((1, 2), (0, 2), (0, 1))
    ]
    angles = np.rad2deg(np.arccos(np.clip(cosines, -1, 1)))
    return not np.all((angles >= ANGLE_RANGE[0]) & (angles <= ANGLE_RANGE[1]))


def family_of(number: int, rhombohedral: bool) -> str:
    """The Bravais family of a space group (1-230); rhombohedral: of those with a threefold axis, the centred ones."""
    ends = (2, 15, 74, 142, 194, 230)
    names = ("triclinic", "monoclinic", "orthorhombic", "tetragonal", "hexagonal", "cubic")
    name = next(name for end, name in zip(ends, names, strict=True) if number <= end)
    return "rhombohedral" if rhombohedral else name


def conventional_parameters(family: str, rng: np.random.Generator) -> np.ndarray:
    """Random a, b, c (a = 1) and α, β, γ (degrees) of a family's conventional cell, the primitive one if rhombohedral.

    Raises ValueError for an unknown family.
    """
    low, high = np.log(_RATIO_RANGE)
    x, y = np.exp(rng.uniform(low, high, size=2))
    match family:
        case "cubic":
            return np.array([1, 1, 1, 90, 90, 90.0])
        case "tetragonal":
            return np.array([1, 1, x, 90, 90, 90.0])
        case "orthorhombic":
            return np.array([1, x, y, 90, 90, 90.0])
        case "hexagonal":
            return np.array([1, 1, x, 90, 90, 120.0])
        case "rhombohedral":
            angle = rng.uniform(50, 115)
            return np.array([1, 1, 1, angle, angle, angle])
        case "monoclinic":
            return np.array([1, x, y, 90, rng.uniform(90, 120), 90.0])
        case "triclinic":
            return np.array([1, x, y, *_possible_angles(rng)])
    raise ValueError(f"unknown Bravais family '{family}'; expected one of {', '.join(FAMILIES)}")


def _possible_angles(rng: np.random.Generator) -> np.ndarray:
    while True:
        angles = rng.uniform(60, 120, size=3)
        c = np.cos(np.deg2rad(angles))
        if 1 - np.sum(c**2) + 2 * np.prod(c) > 0.1:  # squared volume of the unit parallelepiped
            return angles
