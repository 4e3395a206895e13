"""Noise of a lattice's shape: strain from a reference cell, diffused at constant variance.

L = L_ref exp(S), with S symmetric and traceless in Cartesian axes: L_ref has the cell's volume and is as isotropic as
its Bravais class lets it be (a cube where nothing is known), turned so that S is symmetric. S diffuses towards a normal
law of SPREAD in each of its five components, S_τ = √(1 − τ²) S_0 + τ SPREAD Z, with a level τ of its own: 0 is a known
lattice, 1 pure noise. While the shape is noised the atoms are uniform in the cell and tell nothing of it, so a crystal
is made shape first, p(S) p(x | S), each factor with its exact score; noise on both at once would have to account for
the dependence of p(x_t | x_0) on the moving cell.
"""

from __future__ import annotations

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

SPREAD: Final = 0.25  # standard deviation of a component of S among known crystals, from cubes
_BASIS: Final = (
    torch.tensor(  # orthonormal, of the symmetric traceless matrices
        [
            [[1, 0, 0], [0, -1, 0], [0, 0, 0]],
            [[-1, 0, 0], [0, -1, 0], [0, 0, 2]],
            [[0, 1, 0], [1, 0, 0], [0, 0, 0]],
            [[0, 0, 1], [0, 0, 0], [1, 0, 0]],
            [[0, 0, 0], [0, 0, 1], [0, 1, 0]],
        ],
        dtype=torch.float64,
    )
    / torch.tensor([2.0, 6.0, 2.0, 2.0, 2.0], dtype=torch.float64).sqrt()[:, None, None]
)


def aligned(
    reference: Float[Tensor, "crystals 3 3"], lattice: Float[Tensor, "crystals 3 3"]
) -> tuple[Float[Tensor, "crystals 3 3"], Float[Tensor, "crystals 3 3"]]:
    """The reference cell, scaled to the volume and turned so that S of L = L_ref exp(S) is symmetric; and that S."""
    volume = torch.linalg.det(lattice).abs()
    scaled = reference * (volume / torch.linalg.det(reference).abs())[:, None, None] ** (1 / 3)
    left, size, right = torch.linalg.svd(torch.linalg.solve(scaled, lattice))
    stretch = right.transpose(-1, -2) @ (size.log()[:, :, None] * right)
    return scaled @ left @ right, traceless(stretch)


def strained(reference: Float[Tensor, "crystals 3 3"], strain: Float[Tensor, "crystals 3 3"]) -> Tensor:
    """L_ref exp(S)."""
    lattice: Tensor = reference @ torch.linalg.matrix_exp(strain)
    return lattice


def traceless(matrix: Float[Tensor, "crystals 3 3"]) -> Float[Tensor, "crystals 3 3"]:
    """The symmetric part without its trace."""
    symmetric = (matrix + matrix.transpose(-1, -2)) / 2
    trace = symmetric.diagonal(dim1=-2, dim2=-1).mean(-1)
    return symmetric - trace[:, None, None] * torch.eye(3, dtype=matrix.dtype, device=matrix.device)


def shape_noise(normal: Float[Tensor, "crystals 5"]) -> Float[Tensor, "crystals 3 3"]:
    """Symmetric traceless noise of unit variance in each component, the same in any axes, from normal numbers."""
    return torch.einsum("ck,kij->cij", normal, _BASIS.to(normal))


def kept(tau: Float[Tensor, "crystals"]) -> Float[Tensor, "crystals"]:
    """√(1 − τ²): what of the clean strain is left at a level."""
    return torch.sqrt((1 - tau**2).clamp(min=0))


def isotropic_metric(rotations: Float[Tensor, "operations 3 3"]) -> Float[Tensor, "3 3"]:
    """Metric L Lᵀ, determinant 1, of the most isotropic cell that these rotations W leave as it is: W L Lᵀ Wᵀ = L Lᵀ.

    The mean of W Wᵀ over the group; a cube for the identity alone.
    """
    metric = (rotations @ rotations.transpose(-1, -2)).mean(0)
    scaled: Tensor = metric / torch.linalg.det(metric) ** (1 / 3)
    return scaled
