"""Noise on atomic positions: the wrapped-normal score on the torus of a cell, and the loss of score matching.

Positions are perturbed by x_t = x_0 + σ e, e ~ N(0, 1) for each Cartesian component (variance exploding, eq. 3 of the
paper: P. Zhong et al., Mater. Horiz. 12, 9669 (2025)). On the torus of a cell, p(x_t | x_0) is a wrapped normal. Its
score is the mean of −(d + T)/σ² over the lattice translations T, with weights exp(−|d + T|²/2σ²) and d = x_t − x_0.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from chggen.crystals import inverse_spacings

_TAIL = 4.5  # standard deviations that the sum over images covers


def wrapped_normal_score(
    displacement: Float[Tensor, "atoms 3"],
    sigma: Float[Tensor, "atoms"],
    lattice: Float[Tensor, "crystals 3 3"],
    crystal_index: Int[Tensor, "atoms"],
) -> Float[Tensor, "atoms 3"]:
    """Return the score of the wrapped normal, −⟨d + T⟩/σ², at displacements d from its centre.

    The mean is over the lattice translations T with weights exp(−|d + T|²/2σ²). Translations are summed up to 4.5 σ
    beyond the farthest point of the cell. This is the target that a score network learns.

    Args:
        displacement: Cartesian displacements d of shape (atoms, 3), in Å.
        sigma: Standard deviation of the noise on each atom, of shape (atoms,), in Å. 0 for atoms without noise.
        lattice: Lattices of shape (crystals, 3, 3), rows in Å.
        crystal_index: Index of each atom's crystal, of shape (atoms,).

    Returns:
        Scores of shape (atoms, 3) in Cartesian axes, in 1/Å; 0 where sigma is 0.
    """
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
    """Return how many images to sum to either side along each lattice vector, of shape (crystals, 3)."""
    signs = torch.tensor(
        [[1.0, a, b] for a in (-1.0, 1.0) for b in (-1.0, 1.0)], dtype=lattice.dtype, device=lattice.device
    )
    farthest = 0.5 * torch.linalg.norm(signs @ lattice, dim=-1).amax(dim=-1)
    return torch.ceil((_TAIL * sigma + farthest)[:, None] * inverse_spacings(lattice) - 0.5).long().clamp(min=1)


def _images_of_atoms(reach: Tensor, crystal_index: Tensor) -> tuple[Tensor, Tensor]:
    """Return the atom and the image, of shapes (pairs,) and (pairs, 3), of all pairs of an atom and an image.

    Each atom has the images of its own crystal's reach.
    """
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
    """Remove from scores the part that belongs to a common shift of all atoms.

    The distribution of crystals does not depend on where their origin lies. So the exact scores of a crystal whose
    atoms all move sum to 0. From the score of atom i, its share of the precision times the sum is taken:

        s_i − (σ_i⁻² / Σ_j σ_j⁻²) Σ_j s_j

    This is the posterior mean over the shift. It lowers the variance of the training target and keeps its mean. In
    crystals with a held atom (sigma 0) the scores stay as they are.

    Args:
        score: Scores of shape (atoms, 3), in 1/Å.
        sigma: Noise level of each atom, of shape (atoms,), in Å. 0 for held atoms.
        crystal_index: Index of each atom's crystal, of shape (atoms,).
        n_crystals: Number of crystals in the batch.

    Returns:
        Scores of shape (atoms, 3), in 1/Å.
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
    """Return the loss of denoising score matching for each crystal: the mean of |σ (s − target)|² over moving atoms.

    This is eq. 6 of the paper (P. Zhong et al., Mater. Horiz. 12, 9669 (2025)), weighted by σ² so that all noise levels
    count alike. A score of 0 costs 3 at small noise.

    Args:
        score: Scores that the network predicts, of shape (atoms, 3), in 1/Å.
        target: Exact scores of the noise, of shape (atoms, 3), in 1/Å.
        sigma: Noise level of each atom, of shape (atoms,), in Å. Atoms with 0 do not count.
        crystal_index: Index of each atom's crystal, of shape (atoms,).
        n_crystals: Number of crystals in the batch.

    Returns:
        Losses of shape (crystals,), without unit; 0 for crystals in which no atom moves.
    """
    moves = (sigma > 0).to(score.dtype)
    error = ((sigma[:, None] * (score - target)) ** 2).sum(-1) * moves
    zeros = torch.zeros(n_crystals, dtype=score.dtype, device=score.device)
    count = zeros.index_add(0, crystal_index, moves)
    return zeros.index_add(0, crystal_index, error) / count.clamp(min=1)
