"""ScoreModel, the protocol of networks that point from noisy crystals to likely ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from chggen.crystals import Crystals


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Noise levels: sigma per atom in Å (0: a clean host atom), tau per crystal (0: the lattice is known).

    Where tau is not 0 the atoms are uniform in the cell, and reference is the cell that its strain is counted from.
    """

    sigma: Float[Tensor, "atoms"]
    tau: Float[Tensor, "crystals"]
    reference: Float[Tensor, "crystals 3 3"] | None = None

    def to(self, device: torch.device | str) -> Noise:
        reference = None if self.reference is None else self.reference.to(device)
        return Noise(sigma=self.sigma.to(device), tau=self.tau.to(device), reference=reference)


@dataclass(frozen=True, kw_only=True)
class Score:
    """∇ log p: per atom in Cartesian axes (1/Å), and for the lattice strain where the model has one."""

    atoms: Float[Tensor, "atoms 3"]
    strain: Float[Tensor, "crystals 3 3"] | None = None


@runtime_checkable
class ScoreModel(Protocol):
    """Anything that gives the score of crystals at a noise level; zero for atoms with sigma 0."""

    def __call__(self, crystals: Crystals, noise: Noise) -> Score: ...
