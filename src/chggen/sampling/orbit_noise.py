"""Symmetry while sampling: noise and steps restricted to displacements that keep a space group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from chggen.crystals import Crystals, wrap
from chggen.diffusion import AtomOrbits

_EXACT: Final = 1e-4  # Å; atoms closer than this to their symmetric places are at them, for a score network


@runtime_checkable
class Symmetry(Protocol):
    """Protocol of the symmetries of a sample: where guests start and how they may move."""

    def start(self, frac: Float[Tensor, "atoms 3"]) -> Float[Tensor, "atoms 3"]:
        """Return where the guests start.

        Args:
            frac: Fractional positions uniform in the cell, shape (atoms, 3).

        Returns:
            Fractional starts, shape (atoms, 3). Those of host atoms are not used.
        """
        ...

    def project(self, displacement: Float[Tensor, "atoms 3"]) -> Float[Tensor, "atoms 3"]:
        """Return the part of displacements that keeps the symmetry.

        Args:
            displacement: Cartesian displacements in Å, or noise without unit, shape (atoms, 3).

        Returns:
            Their projection on the invariant subspace, shape (atoms, 3).
        """
        ...

    def rebuild(self, crystals: Crystals) -> Crystals:
        """Rebuild the guests of every orbit from its representative, so that rounding errors do not add up.

        Args:
            crystals: The crystals after a step.

        Returns:
            The crystals with guests on exact orbits.
        """
        ...

    def freedom(self, crystals: Crystals) -> Float[Tensor, "atoms"]:
        """Return the mean square length of projected standard normal noise.

        Args:
            crystals: The crystals.

        Returns:
            Mean square length for each atom, shape (atoms,): 3 for a free atom, less for one on an orbit.
        """
        ...


@dataclass(frozen=True)
class NoSymmetry:
    """The `Symmetry` of free atoms: every displacement is allowed."""

    def start(self, frac: Tensor) -> Tensor:
        """Return the uniform positions.

        Args:
            frac: Fractional positions, shape (atoms, 3).

        Returns:
            The same positions.
        """
        return frac

    def project(self, displacement: Tensor) -> Tensor:
        """Return the displacements as they are.

        Args:
            displacement: Cartesian displacements in Å, shape (atoms, 3).

        Returns:
            The same displacements.
        """
        return displacement

    def rebuild(self, crystals: Crystals) -> Crystals:
        """Return the crystals as they are.

        Args:
            crystals: The crystals after a step.

        Returns:
            The same crystals.
        """
        return crystals

    def freedom(self, crystals: Crystals) -> Tensor:
        """Return 3 for every atom, one for each direction.

        Args:
            crystals: The crystals.

        Returns:
            Mean square length of standard normal noise, shape (atoms,).
        """
        return torch.full_like(crystals.frac_coords[:, 0], 3.0)


NO_SYMMETRY: Final = NoSymmetry()


@dataclass(frozen=True)
class OrbitSymmetry:
    """The `Symmetry` of guests on orbits of a space group.

    Displacements are projected in three steps: they are carried back to the representative of each orbit, averaged over
    the orbit, and restricted to the directions that the site symmetry leaves free. Independent noise of standard
    deviation σ then has σ/√m on an orbit of m sites. This is the same diffusion restricted to the invariant subspace,
    and an equivariant score stays in that subspace by itself. One draw of σ for the representative, copied to the other
    sites, would be √m times too large.

    In fractional coordinates an atom is at rotation · representative + translation. An atom on no orbit represents
    itself.

    Attributes:
        frac: Fractional starts, shape (atoms, 3); NaN for atoms of crystals without orbits, which start uniform.
        representative: Index of the atom that represents each atom's orbit, shape (atoms,).
        rotation: Rotations in fractional coordinates, acting on columns, shape (atoms, 3, 3).
        translation: Translations in fractional coordinates, shape (atoms, 3).
        turn: The rotations in Cartesian axes, acting on columns, shape (atoms, 3, 3).
        free: Cartesian projectors of each atom's representative on its free directions, shape (atoms, 3, 3).
    """

    frac: Float[Tensor, "atoms 3"]
    representative: Int[Tensor, "atoms"]
    rotation: Float[Tensor, "atoms 3 3"]
    translation: Float[Tensor, "atoms 3"]
    turn: Float[Tensor, "atoms 3 3"]
    free: Float[Tensor, "atoms 3 3"]

    @classmethod
    def of(cls, orbits: Sequence[Any], crystals: Crystals) -> OrbitSymmetry:
        """Return the symmetry of a batch.

        Args:
            orbits: For each crystal its orbits (`chggen.symmetry.Orbits`), or None for a crystal without symmetry.
            crystals: The batch, whose lattices give the Cartesian axes.

        Returns:
            The symmetry, on the device and in the dtype of the coordinates.
        """
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
        """Return the starts on the orbits, and the uniform positions for atoms of crystals without orbits.

        Args:
            frac: Fractional positions uniform in the cell, shape (atoms, 3).

        Returns:
            Fractional starts, shape (atoms, 3).
        """
        return torch.where(torch.isnan(self.frac), frac, wrap(self.frac))

    def project(self, displacement: Tensor) -> Tensor:
        """Return the part of displacements that keeps the orbits.

        Args:
            displacement: Cartesian displacements in Å, or noise without unit, shape (atoms, 3).

        Returns:
            Their projection on the invariant subspace, shape (atoms, 3).
        """
        back = torch.einsum("aji,aj->ai", self.turn, displacement)
        total = torch.zeros_like(back).index_add(0, self.representative, back)
        mean = torch.einsum("aij,aj->ai", self.free, (total / self._size[:, None])[self.representative])
        return torch.einsum("aij,aj->ai", self.turn, mean)

    def rebuild(self, crystals: Crystals) -> Crystals:
        """Put every guest at the image of its representative.

        Args:
            crystals: The crystals after a step.

        Returns:
            The crystals with guests on exact orbits. Representatives and host atoms keep their bits.
        """
        first = crystals.frac_coords[self.representative]
        image = torch.einsum("aij,aj->ai", self.rotation, first) + self.translation
        # A representative is its own image; it is left alone so that rounding does not move it.
        itself = self.representative == torch.arange(len(first), device=first.device)
        still = (itself | ~crystals.guest)[:, None]
        return replace(crystals, frac_coords=torch.where(still, crystals.frac_coords, wrap(image)))

    def freedom(self, crystals: Crystals) -> Tensor:
        """Return the free directions of each atom's site over the number of sites of its orbit.

        Args:
            crystals: Not used.

        Returns:
            Mean square length of projected standard normal noise, shape (atoms,).
        """
        trace: Tensor = self.free.diagonal(dim1=1, dim2=2).sum(-1)
        return trace / self._size[self.representative]

    def orbits(self, crystals: Crystals) -> AtomOrbits:
        """Return which atoms are images of each other.

        Args:
            crystals: The crystals. Where a host is less than exactly symmetric, each of its atoms stands for itself.
        """
        index, first = crystals.crystal_index, crystals.frac_coords[self.representative]
        off = torch.einsum("aij,aj->ai", self.rotation, first) + self.translation - crystals.frac_coords
        distance = crystals.to_cartesian(off - off.round()).norm(dim=-1) * ~crystals.guest
        inexact = torch.zeros_like(crystals.lattice[:, 0, 0]).index_add(0, index, (distance > _EXACT).to(distance)) > 0
        alone = inexact[index]
        own = torch.arange(len(index), device=index.device)
        unit = torch.eye(3).to(self.turn).expand_as(self.turn)
        return AtomOrbits(
            representative=torch.where(alone, own, self.representative),
            turn=torch.where((alone | (own == self.representative))[:, None, None], unit, self.turn),
        )

    @cached_property
    def _size(self) -> Float[Tensor, "atoms"]:
        """Number of sites of the orbit that each atom represents; 1 for atoms that represent none."""
        return torch.bincount(self.representative, minlength=len(self.frac)).clamp(min=1).to(self.frac)
