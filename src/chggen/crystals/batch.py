"""Crystals, the central data type: a batch of crystals as tensors, and its conversion from and to pymatgen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from chggen.crystals.lattice import wrap

if TYPE_CHECKING:
    from pymatgen.core import Structure

GUEST: Final = "guest"
"""Site property of structures that have a host: whether an atom was generated, rather than held."""


@dataclass(frozen=True, kw_only=True)
class Crystals:
    """A batch of crystals. The atoms of all crystals stand one after another.

    Attributes:
        frac_coords: Fractional coordinates of shape (atoms, 3), wrapped to [0, 1).
        lattice: Lattices of shape (crystals, 3, 3) in Å. The rows are the lattice vectors.
        atomic_numbers: Atomic numbers of shape (atoms,).
        crystal_index: For each atom the index of its crystal, of shape (atoms,), sorted and without gaps.
        guest: Of shape (atoms,), True for generated atoms (guests) and False for atoms of the host, which is held.
    """

    frac_coords: Float[Tensor, "atoms 3"]
    lattice: Float[Tensor, "crystals 3 3"]
    atomic_numbers: Int[Tensor, "atoms"]
    crystal_index: Int[Tensor, "atoms"]
    guest: Bool[Tensor, "atoms"]

    @property
    def n_crystals(self) -> int:
        """Number of crystals in the batch."""
        return self.lattice.shape[0]

    @property
    def n_atoms(self) -> Int[Tensor, "crystals"]:
        """Number of atoms in each crystal, of shape (crystals,)."""
        return torch.bincount(self.crystal_index, minlength=self.n_crystals)

    @property
    def cart_coords(self) -> Float[Tensor, "atoms 3"]:
        """Cartesian positions of shape (atoms, 3), in Å."""
        return self.to_cartesian(self.frac_coords)

    def to_cartesian(self, frac: Float[Tensor, "atoms 3"]) -> Float[Tensor, "atoms 3"]:
        """Convert fractional vectors to Cartesian, each by the lattice of its atom's crystal.

        Args:
            frac: A fractional vector for each atom, of shape (atoms, 3).

        Returns:
            Cartesian vectors of shape (atoms, 3), in Å.
        """
        return torch.einsum("ai,aij->aj", frac, self.lattice[self.crystal_index])

    def moved(self, step: Float[Tensor, "atoms 3"]) -> Crystals:
        """Move the atoms, and wrap them into the cell.

        Args:
            step: A Cartesian displacement for each atom, of shape (atoms, 3), in Å.

        Returns:
            The moved crystals. Atoms whose step is exactly zero keep their coordinates bit for bit.
        """
        inverse = torch.linalg.inv(self.lattice)[self.crystal_index]
        frac = wrap(self.frac_coords + torch.einsum("ai,aij->aj", step, inverse))
        still = (step == 0).all(dim=-1, keepdim=True)
        return replace(self, frac_coords=torch.where(still, self.frac_coords, frac))

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Crystals:
        """Copy the crystals to a device.

        Args:
            device: The device, such as `"cuda"`.
            dtype: Floating-point type of coordinates and lattices. None keeps theirs.

        Returns:
            The same crystals on that device.
        """
        return Crystals(
            frac_coords=self.frac_coords.to(device, dtype),
            lattice=self.lattice.to(device, dtype),
            atomic_numbers=self.atomic_numbers.to(device),
            crystal_index=self.crystal_index.to(device),
            guest=self.guest.to(device),
        )

    def split(self) -> list[Crystals]:
        """Split the batch into crystals, each a batch of one, in the same order."""
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


def collate(crystals: Sequence[Crystals]) -> Crystals:
    """Join batches into one.

    Args:
        crystals: Batches of one or more crystals, on the same device.

    Returns:
        One batch with all crystals in the given order.

    Raises:
        ValueError: The sequence is empty.
    """
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
    """Convert pymatgen structures to a batch on the CPU.

    Args:
        structures: Ordered structures, at least one.
        dtype: Floating-point type of coordinates and lattices.

    Returns:
        The crystals, atoms in the same order, every atom marked as a guest.

    Raises:
        ValueError: A structure has partially occupied sites, or there are none.
    """
    parts = []
    for structure in structures:
        if not structure.is_ordered:
            raise ValueError(
                f"{structure.composition.reduced_formula} has partially occupied sites; use `chggen order` first"
            )
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
    return collate(parts)


def to_structures(crystals: Crystals) -> list[Structure]:
    """Convert a batch to pymatgen structures.

    Args:
        crystals: The batch, on any device.

    Returns:
        A structure for each crystal, atoms in the same order. Where some atoms are guests and others are not, the site
        property `guest` tells which.
    """
    from pymatgen.core import Element, Structure

    found = []
    for c in crystals.split():
        guest = c.guest.tolist()
        found.append(
            Structure(
                c.lattice[0].double().cpu().numpy(),
                [Element.from_Z(int(z)) for z in c.atomic_numbers],
                c.frac_coords.double().cpu().numpy(),
                site_properties={GUEST: guest} if any(guest) and not all(guest) else None,
            )
        )
    return found
