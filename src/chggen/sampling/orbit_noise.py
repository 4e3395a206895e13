"""Symmetry of the noise: constraints that keep a sample in the invariant subspace of a group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from chggen.crystals import Crystals, wrap


@runtime_checkable
class Symmetry(Protocol):
    """Where guests start, which displacements they may have, and their rebuilding after rounding."""

    def start(self, frac: Float[Tensor, "atoms 3"]) -> Float[Tensor, "atoms 3"]:
        """Fractional starts of the guests, given uniform ones."""
        ...

    def project(self, displacement: Float[Tensor, "atoms 3"]) -> Float[Tensor, "atoms 3"]:
        """The part of Cartesian displacements (Å) that keeps the symmetry."""
        ...

    def rebuild(self, crystals: Crystals) -> Crystals:
        """Crystals with the guests of every orbit rebuilt from its representative."""
        ...

    def freedom(self, crystals: Crystals) -> Float[Tensor, "atoms"]:
        """Mean square length of projected standard normal noise on each guest: 3 where all are free."""
        ...


@dataclass(frozen=True)
class NoSymmetry:
    """Every displacement is allowed."""

    def start(self, frac: Tensor) -> Tensor:
        return frac

    def project(self, displacement: Tensor) -> Tensor:
        return displacement

    def rebuild(self, crystals: Crystals) -> Crystals:
        return crystals

    def freedom(self, crystals: Crystals) -> Tensor:
        return torch.full_like(crystals.frac_coords[:, 0], 3.0)


NO_SYMMETRY: Final = NoSymmetry()


@dataclass(frozen=True)
class OrbitSymmetry:
    """Displacements of orbits, in the subspace that their groups leave unchanged.

    Independent noise of all atoms is projected: carried back to the representative of each orbit, averaged over the
    orbit and restricted to the directions its site symmetry leaves free, which has deviation σ/√m on an orbit of m
    sites. That is the same diffusion in the invariant subspace, and an equivariant score needs no more to keep the
    group; one draw for the representative, copied round, would be √m times too hot.

    Atom = rotation · representative + translation in fractional coordinates; turn is that rotation in Cartesian
    axes, free the Cartesian projector of each representative.
    """

    frac: Float[Tensor, "atoms 3"]
    representative: Int[Tensor, "atoms"]
    rotation: Float[Tensor, "atoms 3 3"]
    translation: Float[Tensor, "atoms 3"]
    turn: Float[Tensor, "atoms 3 3"]
    free: Float[Tensor, "atoms 3 3"]

    @classmethod
    def of(cls, orbits: Sequence[Any], crystals: Crystals) -> OrbitSymmetry:
        """From the orbits (chggen.symmetry.Orbits) of each crystal of a batch, None for a crystal without any."""
        columns = []
        start = 0
        for found, crystal in zip(orbits, crystals.split(), strict=True):
            n = len(crystal.frac_coords)
            if found is None:
                unit = torch.eye(3, dtype=torch.float64).expand(n, 3, 3)
                parts = [torch.full((n, 3), torch.nan), torch.arange(n), unit, torch.zeros(n, 3), unit, unit]
            else:
                parts = [
                    torch.tensor(x) for x in (found.frac, found.representative, found.rotations, found.translations)
                ]
                # Cartesian columns are latticeᵀ times fractional ones.
                to, back = crystal.lattice[0].double().cpu().T, torch.linalg.inv(crystal.lattice[0].double().cpu().T)
                parts += [to @ parts[2].double() @ back, to @ torch.tensor(found.free) @ back]
            columns.append([parts[0], parts[1] + start, *parts[2:]])
            start += n
        frac, representative, rotation, translation, turn, free = (
            torch.cat(column) for column in zip(*columns, strict=True)
        )
        like = crystals.frac_coords
        return cls(
            frac.to(like),
            representative.to(like.device),
            rotation.to(like),
            translation.to(like),
            turn.to(like),
            free.to(like),
        )

    def start(self, frac: Tensor) -> Tensor:
        return torch.where(torch.isnan(self.frac), frac, wrap(self.frac))

    def project(self, displacement: Tensor) -> Tensor:
        back = torch.einsum("aji,aj->ai", self.turn, displacement)
        total = torch.zeros_like(back).index_add(0, self.representative, back)
        mean = torch.einsum("aij,aj->ai", self.free, (total / self._size[:, None])[self.representative])
        return torch.einsum("aij,aj->ai", self.turn, mean)

    def rebuild(self, crystals: Crystals) -> Crystals:
        first = crystals.frac_coords[self.representative]
        image = torch.einsum("aij,aj->ai", self.rotation, first) + self.translation
        # A representative is its own image, and keeps its bits.
        itself = self.representative == torch.arange(len(first), device=first.device)
        still = (itself | ~crystals.guest)[:, None]
        return replace(crystals, frac_coords=torch.where(still, crystals.frac_coords, wrap(image)))

    def freedom(self, crystals: Crystals) -> Tensor:
        trace: Tensor = self.free.diagonal(dim1=1, dim2=2).sum(-1)
        return trace / self._size[self.representative]

    @cached_property
    def _size(self) -> Float[Tensor, "atoms"]:
        """Sites of the orbit that an atom represents; 1 for those that represent none."""
        return torch.bincount(self.representative, minlength=len(self.frac)).clamp(min=1).to(self.frac)
