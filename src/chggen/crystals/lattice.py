"""Geometry of periodic cells: volumes, plane spacings, displacements, cells from parameters.

Lattices have shape (..., 3, 3) and are in Å. Their rows are the lattice vectors: Cartesian = fractional @ lattice.
"""

from __future__ import annotations

import itertools

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


def wrap(frac: Tensor) -> Tensor:
    """Wrap fractional coordinates to [0, 1).

    Args:
        frac: Fractional coordinates of any shape.

    Returns:
        The wrapped coordinates. Where rounding would give exactly 1, as for -1e-20, they are 0.
    """
    wrapped = frac - torch.floor(frac)
    return torch.where(wrapped >= 1.0, torch.zeros_like(wrapped), wrapped)


def volume(lattice: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch"]:
    """Return the volumes of cells.

    Args:
        lattice: Lattices of shape (..., 3, 3), in Å, of either handedness.

    Returns:
        Volumes of shape (...), in Å³.
    """
    volumes: Tensor = torch.linalg.det(lattice).abs()
    return volumes


def inverse_spacings(lattice: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Return the inverse spacings of the lattice planes that each lattice vector crosses.

    These are the lengths of the reciprocal lattice vectors. A sphere of radius r reaches r |b_i| cells to either
    side along vector i.

    Args:
        lattice: Lattices of shape (..., 3, 3), in Å.

    Returns:
        |b_i| of the reciprocal vectors, without the factor 2π, of shape (..., 3), in 1/Å.
    """
    lengths: Tensor = torch.linalg.norm(torch.linalg.inv(lattice), dim=-2)
    return lengths


def images_within(lattice: Float[Tensor, "*batch 3 3"], cutoff: float) -> Int[Tensor, "*batch 3"]:
    """Return how many images to either side along each lattice vector may hold neighbours of an atom in the cell.

    Args:
        lattice: Lattices of shape (..., 3, 3), in Å.
        cutoff: Largest distance, in Å.

    Returns:
        Numbers of images of shape (..., 3), at least 1.
    """
    return torch.ceil(cutoff * inverse_spacings(lattice) - 1e-9).long().clamp(min=1)


def rms_displacement(shift: Float[Tensor, "atoms 3"], lattice: Float[Tensor, "3 3"]) -> float:
    """Return the root mean square displacement of atoms, without their common shift.

    Args:
        shift: Differences of fractional coordinates, of shape (atoms, 3). Each is taken to its nearest image.
        lattice: Lattice of shape (3, 3), in Å.

    Returns:
        √⟨|d − ⟨d⟩|²⟩ over the atoms' Cartesian displacements d, in Å.
    """
    images = torch.tensor(list(itertools.product((-1.0, 0.0, 1.0), repeat=3)), dtype=shift.dtype)
    candidates = ((shift - shift.round())[:, None] + images) @ lattice
    nearest = candidates.norm(dim=-1).argmin(dim=1)
    displacement = candidates[torch.arange(len(shift)), nearest]
    return float((displacement - displacement.mean(dim=0)).square().sum(dim=-1).mean().sqrt())


def mixing_length(lattice: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch"]:
    """Return the largest spacing d between parallel lattice planes, over all families of planes.

    Noise of standard deviation σ on the torus of the cell becomes uniform as its slowest Fourier mode decays, which is
    exp(−2π²σ²/d²). The length does not depend on the basis that the lattice is given in.

    Args:
        lattice: Lattices of shape (..., 3, 3), in Å.

    Returns:
        Largest plane spacings of shape (...), in Å.
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
    """Return lattice vectors from lengths and angles.

    Args:
        parameters: a, b, c in Å and α, β, γ in degrees, of shape (..., 6).

    Returns:
        Lattices of shape (..., 3, 3), in Å. The vector a lies along x, b in the xy plane.
    """
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
