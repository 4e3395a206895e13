"""Symmetry of the noise: constraints that keep a sample in the invariant subspace of a group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from chggen.crystals import Crystals


@runtime_checkable
class Symmetry(Protocol):
    """A projection of displacements, and the rebuilding of positions that rounding has moved off the group."""

    def project(self, displacement: Float[Tensor, "atoms 3"]) -> Float[Tensor, "atoms 3"]:
        """The part of Cartesian displacements (Å) that keeps the symmetry."""
        ...

    def rebuild(self, crystals: Crystals) -> Crystals:
        """Crystals with every orbit rebuilt from its representative."""
        ...


@dataclass(frozen=True)
class NoSymmetry:
    """Every displacement is allowed."""

    def project(self, displacement: Tensor) -> Tensor:
        return displacement

    def rebuild(self, crystals: Crystals) -> Crystals:
        return crystals
