"""The asymmetric unit of a crystal: one atom of each orbit, and the operations that lead to it and that fix it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class AsymmetricUnit:
    """One atom of each orbit of a crystal under a group of operations.

    Attributes:
        atoms: The atoms of the unit, the first of each orbit, of shape (unit,).
        orbit: For each atom the place of its orbit's atom in `atoms`, of shape (atoms,).
        into: For each atom an operation that takes it to the atom of the unit, of shape (atoms,).
        fixers: Operations that take an atom of the unit to itself or to a translate of itself, atom by atom, of shape
            (fixers,).
        n_fixers: Number of them for each atom of the unit, of shape (unit,).
    """

    atoms: Int[Tensor, "unit"]
    orbit: Int[Tensor, "atoms"]
    into: Int[Tensor, "atoms"]
    fixers: Int[Tensor, "fixers"]
    n_fixers: Int[Tensor, "unit"]

    @classmethod
    def of(cls, images: Int[Tensor, "operations atoms"]) -> AsymmetricUnit | None:
        """Return the asymmetric unit that permutations of atoms leave.

        Args:
            images: Atom that each operation takes each atom to, of shape (operations, atoms).

        Returns:
            The unit, or None where the permutations are not those of a group.
        """
        first, into = images.min(dim=0)
        atoms, orbit, size = torch.unique(first, return_inverse=True, return_counts=True)
        fixing = images[:, atoms] == atoms
        n_fixers = fixing.sum(dim=0)
        # Orbits of a group have as many atoms as the group has operations for each that fixes one of them.
        if not (torch.equal(first[atoms], atoms) and bool((n_fixers * size == len(images)).all())):
            return None
        _, fixers = torch.nonzero(fixing.T, as_tuple=True)
        return cls(atoms=atoms, orbit=orbit, into=into, fixers=fixers, n_fixers=n_fixers)
