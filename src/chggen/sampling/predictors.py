"""Predictors: ways to take the guests from one noise level to the next lower one.

All act on Cartesian positions. The argument sigma is the level of each atom's crystal, in Å. Host atoms do not move.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class Moving(Protocol):
    """The atoms of a running sample, as predictors see them. The sampler implements this protocol."""

    def score(self, sigma: Float[Tensor, "atoms"]) -> Float[Tensor, "atoms 3"]:
        """Return the score at the present positions. Each call is one evaluation of the network.

        Args:
            sigma: Level of each atom's crystal in Å, shape (atoms,).

        Returns:
            Scores in 1/Å, Cartesian, shape (atoms, 3).
        """
        ...

    def noise(self) -> Float[Tensor, "atoms 3"]:
        """Return standard normal noise (atoms, 3), projected on the displacements that the symmetry allows.

        The noise of each crystal comes from its own generator.
        """
        ...

    def move(self, step: Float[Tensor, "atoms 3"], sigma: Float[Tensor, "atoms"]) -> None:
        """Displace the guests and put the host where the anchor wants it at the new level.

        Args:
            step: Displacements in Å, Cartesian, shape (atoms, 3). Those of host atoms are ignored.
            sigma: The new level of each atom's crystal in Å, shape (atoms,).
        """
        ...


@dataclass(frozen=True, kw_only=True)
class History:
    """What a multistep predictor remembers of its last step.

    Attributes:
        sigma: Level from which the step was taken, Å, shape (atoms,).
        to_clean: Displacement from the noisy to the expected clean positions, σ² times the score, Å, shape (atoms, 3).
        step: Displacement that was made, Å, shape (atoms, 3).
    """

    sigma: Float[Tensor, "atoms"]
    to_clean: Float[Tensor, "atoms 3"]
    step: Float[Tensor, "atoms 3"]


@runtime_checkable
class Predictor(Protocol):
    """Protocol of the predictors."""

    def __call__(
        self, atoms: Moving, sigma: Float[Tensor, "atoms"], target: Float[Tensor, "atoms"], memory: History | None
    ) -> History | None:
        """Take the atoms one step down.

        Args:
            atoms: The atoms, which the predictor moves.
            sigma: Present level of each atom's crystal in Å, shape (atoms,).
            target: The lower level to reach in Å, shape (atoms,); 0 for the clean crystal.
            memory: What the step before returned; None at the start, after a jump and after corrector steps.

        Returns:
            What the next step needs to know of this one. None for predictors of a single step.
        """
        ...


@dataclass(frozen=True)
class Ancestral:
    """The reverse-time Markov step of the variance-exploding process (paper, eq. 4)."""

    def __call__(self, atoms: Moving, sigma: Tensor, target: Tensor, memory: History | None) -> None:
        gap = sigma**2 - target**2
        spread = target * torch.sqrt(gap) / sigma
        atoms.move(gap[:, None] * atoms.score(sigma) + spread[:, None] * atoms.noise(), target)


@dataclass(frozen=True)
class Refresh:
    """A step to the expected clean positions, then fresh noise of the target level.

    It is the stochastic end of the DDIM family (Song, Meng & Ermon, ICLR 2021). Samples come out narrower than the
    exact law, which finds likely structures with few evaluations. For atoms of a Gaussian law of standard deviation d,
    walked at levels far below d, the samples have d/√2, as if at half the temperature. Where the exact law is wanted,
    use `Ancestral` with many levels.
    """

    def __call__(self, atoms: Moving, sigma: Tensor, target: Tensor, memory: History | None) -> None:
        atoms.move((sigma**2)[:, None] * atoms.score(sigma) + target[:, None] * atoms.noise(), target)


@dataclass(frozen=True)
class ProbabilityFlow:
    """An Euler step of the probability-flow ODE dx/dσ = −σ s (Song et al., ICLR 2021). It draws no noise."""

    def __call__(self, atoms: Moving, sigma: Tensor, target: Tensor, memory: History | None) -> None:
        atoms.move((sigma * (sigma - target))[:, None] * atoms.score(sigma), target)


@dataclass(frozen=True)
class Heun:
    """A Heun step of the probability-flow ODE, after noise that raises the level (Karras et al., NeurIPS 2022).

    It takes two evaluations of the network, or one where the target is the clean crystal.

    Attributes:
        churn: The noise first raises σ to σ(1 + churn); 0 draws no noise.
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
    """A step of DPM-Solver++(2M) in log σ (Lu et al., 2022). It draws no noise.

    It is of second order with one evaluation of the network: the clean positions are extrapolated from this step and
    the one before. Without a step before, and at the step to the clean crystal, where log σ is infinite, it is of first
    order.
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
