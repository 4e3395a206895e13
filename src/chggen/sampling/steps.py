"""Predictors, which take the atoms one step down the ladder, and the Langevin corrector at a fixed level.

All act on Cartesian positions; sigma is each crystal's level in Å, given per atom. Host atoms get a step of 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@runtime_checkable
class Predictor(Protocol):
    """One step from level `sigma` to the lower `target`, given the score at `sigma` and standard normal noise."""

    def __call__(
        self,
        score: Float[Tensor, "atoms 3"],
        noise: Float[Tensor, "atoms 3"],
        sigma: Float[Tensor, "atoms"],
        target: Float[Tensor, "atoms"],
    ) -> Float[Tensor, "atoms 3"]: ...


@dataclass(frozen=True)
class Ancestral:
    """The reverse-time Markov step of the variance-exploding process (paper, eq. 4); Å."""

    def __call__(self, score: Tensor, noise: Tensor, sigma: Tensor, target: Tensor) -> Tensor:
        gap = sigma**2 - target**2
        spread = target * torch.sqrt(gap) / sigma
        return gap[:, None] * score + spread[:, None] * noise


@dataclass(frozen=True)
class ProbabilityFlow:
    """Euler step of the probability-flow ODE dx/dσ = −σ s (Song et al., ICLR 2021); draws no noise; Å."""

    def __call__(self, score: Tensor, noise: Tensor, sigma: Tensor, target: Tensor) -> Tensor:
        return (sigma * (sigma - target))[:, None] * score


@dataclass(frozen=True)
class Langevin:
    """`n_steps` corrector steps x + ε g + √(2ε) z with ε = 2 (√3 snr / rms|g|)², at most σ² (paper's algorithm).

    The norm is taken over the moving atoms of each crystal: over all components at once the step would shrink with
    the number of atoms, and over the batch the crystals would depend on each other.
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
    ) -> Float[Tensor, "atoms"]:
        """ε of each atom's crystal, Å²."""
        zeros = torch.zeros(n_crystals, dtype=score.dtype, device=score.device)
        moving = moves.to(score.dtype)
        squares = zeros.index_add(0, crystal_index, (score**2).sum(-1) * moving)
        count = zeros.index_add(0, crystal_index, moving).clamp(min=1)
        mean_square = (squares / count).clamp(min=1e-20)[crystal_index]
        return torch.minimum(6 * self.snr**2 / mean_square, sigma**2)


NO_CORRECTOR = Langevin(n_steps=0)
