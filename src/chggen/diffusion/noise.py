"""Variance-exploding noise on the torus of a cell: perturbation, the wrapped-normal score and the matching loss.

x_t = x_0 + σ e with e ~ N(0, 1) per Cartesian component (paper, eq. 3). On a torus the score of p(x_t | x_0) averages
−(d + T)/σ² over lattice translations T with weights exp(−|d + T|²/2σ²), d = x_t − x_0.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from chggen.crystals import inverse_spacings

_TAIL = 4.5  # standard deviations of the normal that the image sum covers


def wrapped_normal_score(
    displacement: Float[Tensor, "atoms 3"],
    sigma: Float[Tensor, "atoms"],
    lattice: Float[Tensor, "crystals 3 3"],
    crystal_index: Int[Tensor, "atoms"],
) -> Float[Tensor, "atoms 3"]:
    """∇ log of the wrapped normal at Cartesian displacements (Å) from its centre, 1/Å; 0 where sigma is 0."""
    n_crystals = lattice.shape[0]
    inverse = torch.linalg.inv(lattice)
    frac = torch.einsum("ai,aij->aj", displacement, inverse[crystal_index])
    near = torch.einsum("ai,aij->aj", frac - torch.round(frac), lattice[crystal_index])
    widest = torch.zeros(n_crystals, dtype=sigma.dtype, device=sigma.device)
    widest = widest.scatter_reduce(0, crystal_index, sigma, "amax")
    atom, image = _images_of_atoms(_reach(lattice, widest), crystal_index)
    vector = near[atom] + torch.einsum("ki,kij->kj", image.to(near.dtype), lattice[crystal_index[atom]])
    safe = torch.where(sigma > 0, sigma, torch.ones_like(sigma))
    exponent = -0.5 * (vector**2).sum(-1) / safe[atom] ** 2
    largest = torch.full_like(sigma, -torch.inf).scatter_reduce(0, atom, exponent, "amax")
    weight = torch.exp(exponent - largest[atom])
    total = torch.zeros_like(sigma).index_add(0, atom, weight)
    mean = torch.zeros_like(near).index_add(0, atom, weight[:, None] * vector) / total[:, None]
    return torch.where(sigma[:, None] > 0, -mean / safe[:, None] ** 2, torch.zeros_like(mean))


def _reach(lattice: Tensor, sigma: Tensor) -> Tensor:
    """Images to sum along each vector: all within the tail beyond the farthest point of the wrapped cell."""
    signs = torch.tensor(
        [[1.0, a, b] for a in (-1.0, 1.0) for b in (-1.0, 1.0)], dtype=lattice.dtype, device=lattice.device
    )
    farthest = 0.5 * torch.linalg.norm(signs @ lattice, dim=-1).amax(dim=-1)
    return torch.ceil((_TAIL * sigma + farthest)[:, None] * inverse_spacings(lattice) - 0.5).long().clamp(min=1)


def _images_of_atoms(reach: Tensor, crystal_index: Tensor) -> tuple[Tensor, Tensor]:
    """Flat list of (atom, image) over each atom's own image box."""
    width = 2 * reach[crystal_index] + 1
    per_atom = width.prod(dim=-1)
    atom = torch.repeat_interleave(per_atom)
    starts = torch.cumsum(per_atom, 0) - per_atom
    flat = torch.arange(len(atom), device=atom.device) - starts[atom]
    w = width[atom]
    cells = torch.stack([flat // (w[:, 1] * w[:, 2]), flat // w[:, 2] % w[:, 1], flat % w[:, 2]], dim=-1)
    return atom, cells - reach[crystal_index[atom]]


def without_translation(
    score: Float[Tensor, "atoms 3"],
    sigma: Float[Tensor, "atoms"],
    crystal_index: Int[Tensor, "atoms"],
    n_crystals: int,
) -> Float[Tensor, "atoms 3"]:
    """Scores less the part of a common shift, in crystals whose every atom moves.

    The law of the crystals is blind to translations, so the summed score of such a crystal is 0; the part to take
    from each atom is its share of the precision 1/σ² (the posterior mean of the shift). Others stay as they are.
    """
    moves = sigma > 0
    zeros = torch.zeros(n_crystals, dtype=sigma.dtype, device=sigma.device)
    fixed = zeros.index_add(0, crystal_index, (~moves).to(sigma.dtype))
    precision = torch.where(moves, sigma, torch.ones_like(sigma)) ** -2 * moves
    total = zeros.index_add(0, crystal_index, precision).clamp(min=1e-30)
    summed = torch.zeros(n_crystals, 3, dtype=score.dtype, device=score.device).index_add(0, crystal_index, score)
    share = precision / total[crystal_index] * (fixed == 0)[crystal_index]
    return score - share[:, None] * summed[crystal_index]


def matching_loss(
    score: Float[Tensor, "atoms 3"],
    target: Float[Tensor, "atoms 3"],
    sigma: Float[Tensor, "atoms"],
    crystal_index: Int[Tensor, "atoms"],
    n_crystals: int,
) -> Float[Tensor, "crystals"]:
    """Denoising score matching (paper, eq. 6): ‖σ (s − target)‖² averaged over each crystal's moving atoms."""
    moves = (sigma > 0).to(score.dtype)
    error = ((sigma[:, None] * (score - target)) ** 2).sum(-1) * moves
    zeros = torch.zeros(n_crystals, dtype=score.dtype, device=score.device)
    count = zeros.index_add(0, crystal_index, moves)
    return zeros.index_add(0, crystal_index, error) / count.clamp(min=1)
