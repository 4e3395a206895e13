"""Predictors, which take the atoms one step down the ladder, and the Langevin corrector at a fixed level.

All act on Cartesian positions; sigma is each crystal's level in Å, given per atom. Host atoms get a step of 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class Moving(Protocol):
    """The atoms of a running sample, as predictors see them."""

    def score(self, sigma: Float[Tensor, "atoms"]) -> Float[Tensor, "atoms 3"]:
        """The score at the present positions, 1/Å: one evaluation of the network."""
        ...

    def noise(self) -> Float[Tensor, "atoms 3"]:
        """Standard normal noise, each crystal's from its own generator, in the subspace the symmetry allows."""
        ...

    def move(self, step: Float[Tensor, "atoms 3"], sigma: Float[Tensor, "atoms"]) -> None:
        """Displace the guests by step (Å) to the level sigma, at which the anchor holds the host."""
        ...


@dataclass(frozen=True, kw_only=True)
class History:
    """What a multistep predictor keeps of its last step: its level, the way to the clean crystal, the step taken."""

    sigma: Float[Tensor, "atoms"]  # Å
    to_clean: Float[Tensor, "atoms 3"]  # σ² s, Å
    step: Float[Tensor, "atoms 3"]  # Å


@runtime_checkable
class Predictor(Protocol):
    """One step from level `sigma` to the lower `target`; memory is that of the step before, None after a jump."""

    def __call__(
        self, atoms: Moving, sigma: Float[Tensor, "atoms"], target: Float[Tensor, "atoms"], memory: History | None
    ) -> History | None: ...


@dataclass(frozen=True)
class Ancestral:
    """The reverse-time Markov step of the variance-exploding process (paper, eq. 4)."""

    def __call__(self, atoms: Moving, sigma: Tensor, target: Tensor, memory: History | None) -> None:
        gap = sigma**2 - target**2
        spread = target * torch.sqrt(gap) / sigma
        atoms.move(gap[:, None] * atoms.score(sigma) + spread[:, None] * atoms.noise(), target)


@dataclass(frozen=True)
class Refresh:
    """To the mean of the clean crystals that the present one may come from, then fresh noise of the target level.

    The stochastic end of the DDIM family (Song, Meng & Ermon, ICLR 2021). A mean is narrower than the law it stands
    for, so this seeks modes: atoms of a Gaussian of deviation d, walked at levels far below d, settle at d/√2, half
    the temperature. Where the exact law is wanted, take Ancestral with many levels.
    """

    def __call__(self, atoms: Moving, sigma: Tensor, target: Tensor, memory: History | None) -> None:
        atoms.move((sigma**2)[:, None] * atoms.score(sigma) + target[:, None] * atoms.noise(), target)


@dataclass(frozen=True)
class ProbabilityFlow:
    """Euler step of the probability-flow ODE dx/dσ = −σ s (Song et al., ICLR 2021); draws no noise."""

    def __call__(self, atoms: Moving, sigma: Tensor, target: Tensor, memory: History | None) -> None:
        atoms.move((sigma * (sigma - target))[:, None] * atoms.score(sigma), target)


@dataclass(frozen=True)
class Heun:
    """Heun step of the same ODE after `churn`: noise that first lifts σ to σ(1 + churn) (Karras et al., 2022).

    Two evaluations a step, one where the target is the clean crystal. churn 0 draws no noise.
    """

    churn: float = 0.0

    def __call__(self, atoms: Moving, sigma: Tensor, target: Tensor, memory: History | None) -> None:
        if self.churn:
            lifted = sigma * (1 + self.churn)
            atoms.move(torch.sqrt(lifted**2 - sigma**2)[:, None] * atoms.noise(), lifted)
            sigma = lifted
        slope = sigma[:, None] * atoms.score(sigma)
        atoms.move((sigma - target)[:, None] * slope, target)
        if bool((target > 0).any()):
            correction = target[:, None] * atoms.score(target) - slope
            atoms.move(0.5 * (sigma - target)[:, None] * correction, target)


@dataclass(frozen=True)
class Multistep:
    """DPM-Solver++(2M) in log σ (Lu et al., 2022): second order at one evaluation a step; draws no noise.

    The clean crystal is extrapolated from this step and the last one; first order where there is no last one, and at
    the end, where log σ has none.
    """

    def __call__(self, atoms: Moving, sigma: Tensor, target: Tensor, memory: History | None) -> History:
        to_clean = (sigma**2)[:, None] * atoms.score(sigma)
        aim = to_clean
        if memory is not None and bool((target > 0).all()):
            ratio = torch.log(sigma / target) / torch.log(memory.sigma / sigma)
            aim = to_clean + 0.5 * ratio[:, None] * (to_clean - (memory.to_clean - memory.step))
        step = (1 - target / sigma)[:, None] * aim
        atoms.move(step, target)
        return History(sigma=sigma, to_clean=to_clean, step=step)
