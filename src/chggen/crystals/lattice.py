"""Geometry of periodic cells.

Lattices are (..., 3, 3) tensors in Å whose rows are the lattice vectors; Cartesian = fractional @ lattice.
"""

from __future__ import annotations

import itertools

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


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


def niggli_reduced(lattice: np.ndarray) -> np.ndarray:
    """The Niggli-reduced cell (3, 3), Å, of the same lattice (pymatgen's reduction)."""
    from pymatgen.core import Lattice

    return np.array(Lattice(lattice).get_niggli_reduced_lattice(tol=1e-5).matrix)
