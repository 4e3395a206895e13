"""Tensors whose rows belong to crystals: sums over the rows of each crystal, and room for further rows."""

from __future__ import annotations

from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor

LONGEST_STEP: Final = 0.2  # Å, as in ASE: of all rows together with FIRE, of the longest row with L-BFGS


def dot(
    a: Float[Tensor, "rows 3"], b: Float[Tensor, "rows 3"], owner: Int[Tensor, "rows"], n_crystals: int
) -> Float[Tensor, "crystals"]:
    """Return the scalar product of two vectors for each crystal, summed over its rows.

    Args:
        a: First vectors, of shape (rows, 3).
        b: Second vectors, of shape (rows, 3).
        owner: Index of the crystal that each row belongs to, of shape (rows,).
        n_crystals: Number of crystals.

    Returns:
        The products, of shape (crystals,), in the product of the vectors' units.
    """
    return a.new_zeros(n_crystals).index_add(0, owner, (a * b).sum(-1))


def padded(tensor: Tensor, n: int, dim: int) -> Tensor:
    """Return a tensor with zeros added at the end of one dimension.

    Args:
        tensor: A tensor of any shape.
        n: Number of zeros to add.
        dim: Dimension to lengthen.

    Returns:
        The longer tensor.
    """
    shape = list(tensor.shape)
    shape[dim] = n
    return torch.cat([tensor, tensor.new_zeros(shape)], dim=dim)
