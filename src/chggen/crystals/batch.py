"""Crystals, the central data type: a batch of crystals as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from chggen.crystals.lattice import wrap

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass(frozen=True, kw_only=True)
class Crystals:
    """A batch of crystals.

    frac_coords are wrapped to [0, 1); lattice rows are vectors in Å; crystal_index is sorted and consecutive;
    guest is True for generated atoms and False for those of the held host.
    """

    frac_coords: Float[Tensor, "atoms 3"]
    lattice: Float[Tensor, "crystals 3 3"]
    atomic_numbers: Int[Tensor, "atoms"]
    crystal_index: Int[Tensor, "atoms"]
    guest: Bool[Tensor, "atoms"]

    @property
    def n_crystals(self) -> int:
        return self.lattice.shape[0]

    @property
    def n_atoms(self) -> Int[Tensor, "crystals"]:
        """Atoms in each crystal."""
        return torch.bincount(self.crystal_index, minlength=self.n_crystals)

    @property
    def cart_coords(self) -> Float[Tensor, "atoms 3"]:
        """Cartesian positions, Å."""
        return self.to_cartesian(self.frac_coords)

    def to_cartesian(self, frac: Float[Tensor, "atoms 3"]) -> Float[Tensor, "atoms 3"]:
        """Fractional vectors of the atoms → Cartesian, Å."""
        return torch.einsum("ai,aij->aj", frac, self.lattice[self.crystal_index])

    def moved(self, step: Float[Tensor, "atoms 3"]) -> Crystals:
        """The crystals after a Cartesian step of every atom (Å), wrapped; atoms with a zero step keep their bits."""
        inverse = torch.linalg.inv(self.lattice)[self.crystal_index]
        frac = wrap(self.frac_coords + torch.einsum("ai,aij->aj", step, inverse))
        still = (step == 0).all(dim=-1, keepdim=True)
        return replace(self, frac_coords=torch.where(still, self.frac_coords, frac))

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Crystals:
        """The same crystals on a device, coordinates and lattice in the given dtype."""
        return Crystals(
            frac_coords=self.frac_coords.to(device, dtype),
            lattice=self.lattice.to(device, dtype),
            atomic_numbers=self.atomic_numbers.to(device),
            crystal_index=self.crystal_index.to(device),
            guest=self.guest.to(device),
        )

    def split(self) -> list[Crystals]:
        """One batch of a single crystal for each crystal."""
        counts = self.n_atoms.tolist()
        columns = zip(
            self.frac_coords.split(counts),
            self.atomic_numbers.split(counts),
            self.guest.split(counts),
            self.lattice,
            strict=True,
        )
        return [
            Crystals(
                frac_coords=frac,
                lattice=lattice[None],
                atomic_numbers=numbers,
                crystal_index=torch.zeros_like(numbers),
                guest=guest,
            )
            for frac, numbers, guest, lattice in columns
        ]


def batch(crystals: Sequence[Crystals]) -> Crystals:
    """Join batches into one. Raises ValueError for an empty sequence."""
    if not crystals:
        raise ValueError("cannot batch zero crystals; give at least one")
    shifts = torch.tensor([0, *(c.n_crystals for c in crystals)]).cumsum(0)[:-1].tolist()
    return Crystals(
        frac_coords=torch.cat([c.frac_coords for c in crystals]),
        lattice=torch.cat([c.lattice for c in crystals]),
        atomic_numbers=torch.cat([c.atomic_numbers for c in crystals]),
        crystal_index=torch.cat([c.crystal_index + k for c, k in zip(crystals, shifts, strict=True)]),
        guest=torch.cat([c.guest for c in crystals]),
    )


def from_structures(structures: Sequence[Structure], dtype: torch.dtype = torch.float64) -> Crystals:
    """Ordered pymatgen structures → Crystals on the CPU, every atom a guest. Raises ValueError for disorder."""
    parts = []
    for structure in structures:
        if not structure.is_ordered:
            raise ValueError(f"{structure.composition.reduced_formula} has partially occupied sites; order it first")
        numbers = torch.tensor([site.specie.Z for site in structure], dtype=torch.long)
        parts.append(
            Crystals(
                frac_coords=wrap(torch.tensor(structure.frac_coords, dtype=dtype).reshape(-1, 3)),
                lattice=torch.tensor(structure.lattice.matrix.copy(), dtype=dtype)[None],
                atomic_numbers=numbers,
                crystal_index=torch.zeros_like(numbers),
                guest=torch.ones_like(numbers, dtype=torch.bool),
            )
        )
    return batch(parts)


def to_structures(crystals: Crystals) -> list[Structure]:
    """Crystals → pymatgen structures, atoms in the same order."""
    from pymatgen.core import Element, Structure

    return [
        Structure(
            c.lattice[0].double().cpu().numpy(),
            [Element.from_Z(int(z)) for z in c.atomic_numbers],
            c.frac_coords.double().cpu().numpy(),
        )
        for c in crystals.split()
    ]
