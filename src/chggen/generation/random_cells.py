"""Random cells of the seven Bravais families, and the random shapes of their conventional cells."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Float

from chggen.crystals import lattice_from_parameters, niggli_reduced

FAMILIES: Final = ("cubic", "tetragonal", "orthorhombic", "hexagonal", "rhombohedral", "monoclinic", "triclinic")
ANGLE_RANGE: Final = (50.0, 130.0)  # degrees, of a reduced cell; known crystals have no flatter ones
_RATIO_RANGE: Final = (0.5, 2.0)  # axis ratios, drawn log-uniformly


def random_bravais_cell(cell_volume: float, rng: np.random.Generator, family: str | None = None) -> np.ndarray:
    """Draw a random cell of a Bravais family.

    Axis ratios are drawn log-uniformly between 0.5 and 2, and free angles uniformly (see `conventional_parameters`).
    The cell is drawn again until the angles of the reduced cell lie between 50° and 130°.

    Args:
        cell_volume: Volume in Å³.
        rng: Random generator.
        family: A name from `FAMILIES`. None draws one of the seven with equal probability.

    Returns:
        The Niggli-reduced cell, with lattice vectors as rows, of shape (3, 3), in Å.

    Raises:
        ValueError: The family is unknown, or the volume is not positive.
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
    """Return whether a reduced cell is too flat to hold a crystal: whether it has an angle outside 50–130°.

    Args:
        lattice: Lattice vectors as rows, of shape (3, 3), in Å.

    Returns:
        True if an angle is outside.
    """
    cosines = [
        lattice[i] @ lattice[j] / np.linalg.norm(lattice[i]) / np.linalg.norm(lattice[j])
        for i, j in ((1, 2), (0, 2), (0, 1))
    ]
    angles = np.rad2deg(np.arccos(np.clip(cosines, -1, 1)))
    return not np.all((angles >= ANGLE_RANGE[0]) & (angles <= ANGLE_RANGE[1]))


def family_of(number: int, rhombohedral: bool) -> str:
    """Return the Bravais family of a space group.

    Args:
        number: International number, 1 to 230.
        rhombohedral: Whether the group is one of the seven with a symbol that begins with R.

    Returns:
        A name from `FAMILIES`.
    """
    ends = (2, 15, 74, 142, 194, 230)
    names = ("triclinic", "monoclinic", "orthorhombic", "tetragonal", "hexagonal", "cubic")
    name = next(name for end, name in zip(ends, names, strict=True) if number <= end)
    return "rhombohedral" if rhombohedral else name


def conventional_parameters(family: str, rng: np.random.Generator) -> np.ndarray:
    """Draw the shape of a random cell of a Bravais family.

    Axis ratios are log-uniform between 0.5 and 2. Free angles are uniform: 50–115° for rhombohedral, 90–120° for
    monoclinic, and 60–120° for triclinic cells, where angles that make a nearly flat cell are drawn again.

    Args:
        family: A name from `FAMILIES`.
        rng: Random generator.

    Returns:
        a, b, c (with a = 1) and α, β, γ (degrees) of the conventional cell, of shape (6,). For the rhombohedral family
        it is the primitive cell.

    Raises:
        ValueError: The family is unknown.
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
    """Draw three angles (degrees) between which a parallelepiped exists that is not too flat."""
    while True:
        angles = rng.uniform(60, 120, size=3)
        cosines = np.cos(np.deg2rad(angles))
        if 1 - np.sum(cosines**2) + 2 * np.prod(cosines) > 0.1:  # squared volume of the unit parallelepiped
            return angles
