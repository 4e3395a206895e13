"""Geometry of periodic cells and the random Bravais cells that prediction starts from.

Lattices are (..., 3, 3) tensors in Å whose rows are the lattice vectors; Cartesian = fractional @ lattice.
"""

from __future__ import annotations

import itertools
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

FAMILIES: Final = ("cubic", "tetragonal", "orthorhombic", "hexagonal", "rhombohedral", "monoclinic", "triclinic")
_ANGLE_RANGE: Final = (50.0, 130.0)  # degrees; flatter cells hold no known crystal after reduction
_RATIO_RANGE: Final = (0.5, 2.0)  # axis ratios, drawn log-uniformly


def wrap(frac: Tensor) -> Tensor:
    """Fractional coordinates wrapped to [0, 1), also where rounding would give exactly 1."""
    wrapped = frac - torch.floor(frac)
    return torch.where(wrapped >= 1.0, torch.zeros_like(wrapped), wrapped)


def volume(lattice: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch"]:
    """Cell volumes, Å³."""
    volumes: Tensor = torch.linalg.det(lattice).abs()
    return volumes


def inverse_spacings(lattice: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Inverse distance between the lattice planes across each vector, 1/Å: |b_i| of the reciprocal lattice."""
    lengths: Tensor = torch.linalg.norm(torch.linalg.inv(lattice), dim=-2)
    return lengths


def rms_displacement(shift: Float[Tensor, "atoms 3"], lattice: Float[Tensor, "3 3"]) -> float:
    """Root mean square displacement, Å, of fractional shifts: minimum image, mean shift removed."""
    images = torch.tensor(list(itertools.product((-1.0, 0.0, 1.0), repeat=3)), dtype=shift.dtype)
    candidates = ((shift - shift.round())[:, None] + images) @ lattice
    nearest = candidates.norm(dim=-1).argmin(dim=1)
    displacement = candidates[torch.arange(len(shift)), nearest]
    return float((displacement - displacement.mean(dim=0)).square().sum(dim=-1).mean().sqrt())


def mixing_length(lattice: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch"]:
    """The largest spacing between lattice planes, Å.

    Noise on the torus forgets its start as exp(-2π²σ²/d²) with d this length, whatever basis the cell is given in.
    """
    reciprocal = torch.linalg.inv(lattice).transpose(-1, -2)
    # The shortest reciprocal vector g = h @ reciprocal has h_i = a_i · g, so |h_i| is at most |a_i| times any |b_j|.
    limit = torch.linalg.norm(reciprocal, dim=-1).amin(dim=-1, keepdim=True)
    bound = torch.floor(torch.linalg.norm(lattice, dim=-1) * limit + 1e-6).reshape(-1, 3).amax(dim=0)
    axes = [range(-int(n), int(n) + 1) for n in bound.clamp(min=1).tolist()]
    grid = torch.tensor([h for h in itertools.product(*axes) if any(h)], dtype=lattice.dtype, device=lattice.device)
    shortest: Tensor = torch.linalg.norm(grid @ reciprocal, dim=-1).amin(dim=-1)
    return 1.0 / shortest


def lattice_from_parameters(parameters: np.ndarray) -> np.ndarray:
    """Lattice vectors (..., 3, 3), Å, from a, b, c (Å) and α, β, γ (degrees); a along x, b in the xy plane."""
    p = np.asarray(parameters, dtype=np.float64)
    a, b, c = p[..., 0], p[..., 1], p[..., 2]
    cos = np.cos(np.deg2rad(p[..., 3:]))
    sin_gamma = np.sin(np.deg2rad(p[..., 5]))
    cx = c * cos[..., 1]
    cy = c * (cos[..., 0] - cos[..., 1] * cos[..., 2]) / sin_gamma
    zero = np.zeros_like(a)
    rows = [
        np.stack([a, zero, zero], -1),
        np.stack([b * cos[..., 2], b * sin_gamma, zero], -1),
        np.stack([cx, cy, np.sqrt(np.maximum(c**2 - cx**2 - cy**2, 0.0))], -1),
    ]
    return np.stack(rows, -2)


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
    return not np.all((angles >= _ANGLE_RANGE[0]) & (angles <= _ANGLE_RANGE[1]))


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


def niggli_reduced(lattice: np.ndarray) -> np.ndarray:
    """The Niggli-reduced cell (3, 3), Å, of the same lattice (pymatgen's reduction)."""
    from pymatgen.core import Lattice

    return np.array(Lattice(lattice).get_niggli_reduced_lattice(tol=1e-5).matrix)
