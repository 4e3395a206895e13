"""ScoreModel, the protocol of networks that point from noisy crystals to likely ones, with its input and output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from chggen.crystals import Crystals


@dataclass(frozen=True, kw_only=True)
class Noise:
    """The noise levels of a batch of crystals.

    A crystal is noised either in its positions or in the shape of its lattice. Where tau is not 0, the atoms are
    uniform in the cell.

    Attributes:
        sigma: Standard deviation of the noise on each atom, of shape (atoms,), in Å. 0 for a clean host atom.
        tau: Noise level of each lattice, from 0 (known) to 1 (pure noise), of shape (crystals,). It has no unit; see
            `chggen.diffusion.strain`.
        reference: Cells that strains are counted from, of shape (crystals, 3, 3), rows in Å. None where no lattice is
            noised.
    """

    sigma: Float[Tensor, "atoms"]
    tau: Float[Tensor, "crystals"]
    reference: Float[Tensor, "crystals 3 3"] | None = None

    def to(self, device: torch.device | str) -> Noise:
        """Copy the noise levels to a device.

        Args:
            device: The device, such as `"cuda"`.

        Returns:
            The same levels on that device.
        """
        reference = None if self.reference is None else self.reference.to(device)
        return Noise(sigma=self.sigma.to(device), tau=self.tau.to(device), reference=reference)


@dataclass(frozen=True, kw_only=True)
class Score:
    """The score ∇ log p of noisy crystals.

    Attributes:
        atoms: Score of each atom's position in Cartesian axes, of shape (atoms, 3), in 1/Å.
        strain: Score of each lattice's strain, symmetric and traceless, of shape (crystals, 3, 3), without unit. None
            where the lattices are not noised.
    """

    atoms: Float[Tensor, "atoms 3"]
    strain: Float[Tensor, "crystals 3 3"] | None = None


@dataclass(frozen=True, kw_only=True)
class AtomOrbits:
    """Which atoms of a batch are images of each other.

    Attributes:
        representative: Index of the atom that stands for each atom's orbit, of shape (atoms,).
        turn: Rotation that takes the surroundings of the representative to those of each atom, acting on Cartesian
            columns, of shape (atoms, 3, 3). The identity for representatives.
    """

    representative: Int[Tensor, "atoms"]
    turn: Float[Tensor, "atoms 3 3"]


@runtime_checkable
class ScoreModel(Protocol):
    """Anything that returns the score of noisy crystals, such as a network."""

    def __call__(self, crystals: Crystals, noise: Noise) -> Score:
        """Return the score of noisy crystals.

        Args:
            crystals: The noisy crystals.
            noise: Their noise levels.

        Returns:
            The score. It is 0 for atoms whose sigma is 0.
        """
        ...


@runtime_checkable
class UsesOrbits(Protocol):
    """A score model that computes a symmetric crystal for the price of one atom of each orbit."""

    def of_orbits(self, crystals: Crystals, noise: Noise, orbits: AtomOrbits) -> Score:
        """Return what a call returns, up to rounding.

        Args:
            crystals: The noisy crystals, whose positions have the symmetry exactly.
            noise: Their noise levels, the same for all atoms of an orbit.
            orbits: Which of their atoms are images of each other.
        """
        ...
