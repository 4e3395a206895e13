"""A constraint that keeps the symmetry of a crystal while it relaxes: forces and stress are averaged over its group."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from chggen.symmetry.asymmetric_unit import AsymmetricUnit
from chggen.symmetry.detection import operations, permutations

if TYPE_CHECKING:
    from pymatgen.core import Structure

_MOST_DISTANCES: Final = 2e7  # between atoms and images; they take a second, as long as an energy of hundreds of atoms


@dataclass(frozen=True)
class SymmetryConstraint:
    """Averages vectors and tensors of a crystal over the operations of its space group.

    What it returns is unchanged by every operation. Steps along such forces and stresses keep the symmetry.

    Attributes:
        rotations: Rotation parts, of shape (operations, 3, 3), acting on Cartesian column vectors. They stay valid
            while the cell is strained, as long as the strain has the same symmetry.
        images: Atom that each operation takes each atom to, of shape (operations, atoms): operation g takes atom a to
            atom images[g, a].
        fractional: The rotation parts in fractional coordinates, integers of shape (operations, 3, 3), acting on
            columns.
        translations: Translation parts in fractional coordinates, of shape (operations, 3).
    """

    rotations: Float[Tensor, "operations 3 3"]
    images: Int[Tensor, "operations atoms"]
    fractional: Int[Tensor, "operations 3 3"]
    translations: Float[Tensor, "operations 3"]

    @classmethod
    def of(
        cls, structure: Structure, symprec: float = 0.01, free: Bool[Tensor, "atoms"] | None = None
    ) -> SymmetryConstraint | None:
        """Return the constraint that keeps the space group of a structure.

        Operations that take a free atom to a fixed one are left out. Averaging over them would put a force on the fixed
        atom.

        Args:
            structure: An ordered structure.
            symprec: Symmetry tolerance in Å at which spglib looks for the group.
            free: Which atoms may move, of shape (atoms,). None means all of them.

        Returns:
            The constraint, or None where the operations that spglib finds do not permute the atoms.
        """
        return cls._by(structure, operations(structure, symprec), free)

    @classmethod
    def _by(
        cls, structure: Structure, found: tuple[np.ndarray, np.ndarray], free: Tensor | None
    ) -> SymmetryConstraint | None:
        """Return the constraint of operations, rotations and translations; None where they do not permute the atoms."""
        rotations, translations = found
        permuted = permutations(structure, rotations, translations)
        if permuted is None:
            return None
        images = torch.from_numpy(permuted[0])
        lattice = structure.lattice.matrix
        # A lattice that is only symmetric within symprec gives nearly orthogonal matrices: take the nearest rotations.
        u, _, vt = np.linalg.svd(lattice.T @ rotations @ np.linalg.inv(lattice.T))
        kept = torch.ones(len(images), dtype=torch.bool) if free is None else (free[images] == free).all(dim=1)
        return cls(
            torch.from_numpy(u @ vt)[kept],
            images[kept],
            torch.from_numpy(rotations).round().long()[kept],
            torch.from_numpy(permuted[1])[kept],
        )

    @classmethod
    def sparing(cls, structure: Structure, symprec: float = 0.01) -> SymmetryConstraint | None:
        """Return the constraint by which an energy is found from the asymmetric unit alone; None where that saves none.

        A large supercell of a symmetric crystal has ten thousands of operations. To find which atom each takes each to
        costs as the cube of the atoms, and more than the energy of all atoms.

        Args:
            structure: An ordered structure.
            symprec: Symmetry tolerance in Å at which spglib looks for the group.
        """
        found = operations(structure, symprec)
        if len(found[0]) * len(structure) ** 2 > _MOST_DISTANCES:
            return None
        return cls._by(structure, found, None)

    @cached_property
    def unit(self) -> AsymmetricUnit | None:
        """One atom of each orbit; None where the operations are no group."""
        return AsymmetricUnit.of(self.images)

    @property
    def share(self) -> float:
        """Share of the atoms that make up the asymmetric unit."""
        return 1.0 if self.unit is None else len(self.unit.atoms) / self.images.shape[1]

    def deviation(self, frac: Float[Tensor, "atoms 3"], lattice: Float[Tensor, "3 3"]) -> float:
        """Return how far, in Å, an operation takes an atom from where its image is: the largest such distance.

        Args:
            frac: Fractional coordinates, of shape (atoms, 3).
            lattice: Lattice vectors in rows, of shape (3, 3), in Å.
        """
        moved = frac @ self.fractional.to(frac).transpose(1, 2) + self.translations[:, None].to(frac)
        off = moved - frac[self.images]
        return float(((off - torch.round(off)) @ lattice).norm(dim=-1).max())

    def to(self, device: torch.device | str) -> SymmetryConstraint:
        """Return the same constraint on another device.

        Args:
            device: The device, such as `cuda`.

        Returns:
            The constraint with its tensors on that device; itself if they are there.
        """
        there, wanted = self.images.device, torch.device(device)
        if there.type == wanted.type and wanted.index in (None, there.index):
            return self
        return SymmetryConstraint(*(getattr(self, field.name).to(device) for field in fields(self)))

    def vectors(self, vectors: Float[Tensor, "atoms 3"]) -> Float[Tensor, "atoms 3"]:
        """Average vectors of the atoms, such as forces, over the operations.

        Args:
            vectors: Cartesian vectors, of shape (atoms, 3), in any unit.

        Returns:
            The averaged vectors, of the same shape and unit.
        """
        turned = (vectors @ self.rotations.transpose(1, 2)).view(-1, 3)
        return torch.zeros_like(vectors).index_add(0, self.images.flatten(), turned) / len(self.rotations)

    def tensor(self, tensor: Float[Tensor, "3 3"]) -> Float[Tensor, "3 3"]:
        """Average a tensor of the whole crystal, such as its stress, over the operations.

        Args:
            tensor: A Cartesian tensor, of shape (3, 3), in any unit.

        Returns:
            The averaged tensor, of the same shape and unit.
        """
        return (self.rotations @ tensor @ self.rotations.transpose(1, 2)).mean(dim=0)
