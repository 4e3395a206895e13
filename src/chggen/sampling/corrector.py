"""The Langevin corrector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Langevin:
    """`n_steps` corrector steps x + ε g + √(2ε) z with ε = 2 (snr rms|z| / rms|g|)², at most σ² (paper's algorithm).

    The norms are taken over the moving atoms of each crystal: over all components at once the step would shrink with
    the number of atoms, and over the batch the crystals would depend on each other. rms|z| is √3 for free atoms, less
    for those on orbits.
    """

    n_steps: int = 1
    snr: float = 0.4

    def step_size(
        self,
        score: Float[Tensor, "atoms 3"],
        moves: Bool[Tensor, "atoms"],
        sigma: Float[Tensor, "atoms"],
        crystal_index: Int[Tensor, "atoms"],
        n_crystals: int,
        freedom: Float[Tensor, "atoms"],
    ) -> Float[Tensor, "atoms"]:
        """ε of each atom's crystal, Å². freedom: mean square length of the noise on each atom."""
        zeros = torch.zeros(n_crystals, dtype=score.dtype, device=score.device)
        moving = moves.to(score.dtype)
        squares = zeros.index_add(0, crystal_index, (score**2).sum(-1) * moving).clamp(min=1e-20)
        noise = zeros.index_add(0, crystal_index, freedom * moving)
        return torch.minimum(2 * self.snr**2 * (noise / squares)[crystal_index], sigma**2)


NO_CORRECTOR: Final = Langevin(n_steps=0)
