"""Noise on the shape of a lattice: a strain from a reference cell that diffuses at constant variance.

A lattice is written as L = L_ref exp(S). S is the strain, symmetric and traceless in Cartesian axes. L_ref is the
reference cell: it has the volume of L and is as isotropic as its Bravais class allows, which is a cube where the class
is not known. It is rotated so that S is symmetric.

S diffuses towards a normal distribution with standard deviation SPREAD in each of its five components:

    S_τ = √(1 − τ²) S_0 + τ SPREAD Z,   Z standard normal

The level τ runs from 0 (a known lattice) to 1 (pure noise). While the shape is noised, the atoms are uniform in the
cell and say nothing about it. So a crystal is generated shape first, p(S) p(x | S), and each factor has an exact score.
Noise on both at once would have to account for a p(x_t | x_0) that depends on the moving cell.
"""

from __future__ import annotations

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

SPREAD: Final = 0.25
"""Standard deviation of a component of the strain S of known crystals, counted from cubes."""
_BASIS: Final = (
    torch.tensor(  # an orthonormal basis of the symmetric traceless matrices
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
    """Scale and rotate reference cells so that lattices are symmetric strains of them, L = L_ref exp(S).

    S is the logarithm of the right stretch in the polar decomposition of L_ref⁻¹ L.

    Args:
        reference: Reference cells of shape (crystals, 3, 3), rows in Å, of any volume and orientation.
        lattice: Lattices L of shape (crystals, 3, 3), rows in Å.

    Returns:
        The scaled and rotated reference cells L_ref, rows in Å, and the strains S. Both have shape (crystals, 3, 3).
    """
    volume = torch.linalg.det(lattice).abs()
    scaled = reference * (volume / torch.linalg.det(reference).abs())[:, None, None] ** (1 / 3)
    left, size, right = torch.linalg.svd(torch.linalg.solve(scaled, lattice))
    stretch = right.transpose(-1, -2) @ (size.log()[:, :, None] * right)
    return scaled @ left @ right, traceless(stretch)


def strained(reference: Float[Tensor, "crystals 3 3"], strain: Float[Tensor, "crystals 3 3"]) -> Tensor:
    """Return strained cells L_ref exp(S).

    Args:
        reference: Reference cells L_ref of shape (crystals, 3, 3), rows in Å.
        strain: Strains S, symmetric and traceless, of shape (crystals, 3, 3).

    Returns:
        Lattices of shape (crystals, 3, 3), rows in Å, with the volumes of the references.
    """
    lattice: Tensor = reference @ torch.linalg.matrix_exp(strain)
    return lattice


def traceless(matrix: Float[Tensor, "crystals 3 3"]) -> Float[Tensor, "crystals 3 3"]:
    """Return the symmetric traceless part of matrices.

    Args:
        matrix: Any matrices, of shape (crystals, 3, 3).

    Returns:
        (M + Mᵀ)/2 − tr(M)/3, of shape (crystals, 3, 3).
    """
    symmetric = (matrix + matrix.transpose(-1, -2)) / 2
    trace = symmetric.diagonal(dim1=-2, dim2=-1).mean(-1)
    return symmetric - trace[:, None, None] * torch.eye(3, dtype=matrix.dtype, device=matrix.device)


def shape_noise(normal: Float[Tensor, "crystals 5"]) -> Float[Tensor, "crystals 3 3"]:
    """Return symmetric traceless noise whose distribution is the same in any axes.

    Args:
        normal: Standard normal numbers of shape (crystals, 5), one for each component.

    Returns:
        Noise of shape (crystals, 3, 3), with unit variance in each of five orthonormal components.
    """
    return torch.einsum("ck,kij->cij", normal, _BASIS.to(normal))


def kept(tau: Float[Tensor, "crystals"]) -> Float[Tensor, "crystals"]:
    """Return the factor √(1 − τ²) by which the clean strain enters the noised one.

    Args:
        tau: Noise levels of lattices, from 0 to 1, of shape (crystals,).

    Returns:
        Factors of shape (crystals,).
    """
    return torch.sqrt((1 - tau**2).clamp(min=0))


def isotropic_metric(rotations: Float[Tensor, "operations 3 3"]) -> Float[Tensor, "3 3"]:
    """Return the metric G = L Lᵀ of the most isotropic cell that a point group leaves unchanged.

    It is the mean of W Wᵀ over the group, scaled to determinant 1, and satisfies W G Wᵀ = G. For the identity alone
    it is the metric of a cube.

    Args:
        rotations: All rotations W of the group as they act on lattice vectors (the rows of L), of shape
            (operations, 3, 3).

    Returns:
        The metric of shape (3, 3), of a cell of volume 1.
    """
    metric = (rotations @ rotations.transpose(-1, -2)).mean(0)
    scaled: Tensor = metric / torch.linalg.det(metric) ** (1 / 3)
    return scaled
