"""Forces and stress averaged over the symmetry of a crystal, so that it keeps the symmetry while it relaxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from chggen.symmetry import operations, permutations

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass(frozen=True)
class SymmetryConstraint:
    """Averages over the operations of a crystal; what it returns is unchanged by every one of them.

    rotations act on Cartesian columns and stay what they are under strains of the same symmetry; operation g takes
    atom a to atom images[g, a].
    """

    rotations: Float[Tensor, "operations 3 3"]
    images: Int[Tensor, "operations atoms"]

    @classmethod
    def of(
        cls, structure: Structure, symprec: float = 0.01, free: Bool[Tensor, "atoms"] | None = None
    ) -> SymmetryConstraint | None:
        """That of the group found at symprec (Å), of its operations those that take free atoms to free ones.

        None where its operations do not permute the atoms.
        """
        rotations, translations = operations(structure, symprec)
        found = permutations(structure, rotations, translations)
        if found is None:
            return None
        images = torch.from_numpy(found[0])
        lattice = structure.lattice.matrix
        u, _, vt = np.linalg.svd(lattice.T @ rotations @ np.linalg.inv(lattice.T))  # to the nearest true rotation
        kept = torch.ones(len(images), dtype=torch.bool) if free is None else (free[images] == free).all(dim=1)
        return cls(torch.from_numpy(u @ vt)[kept], images[kept])

    def to(self, device: torch.device | str) -> SymmetryConstraint:
        return SymmetryConstraint(self.rotations.to(device), self.images.to(device))

    def vectors(self, vectors: Float[Tensor, "atoms 3"]) -> Float[Tensor, "atoms 3"]:
        """Vectors of the atoms, such as forces."""
        turned = torch.einsum("gij,aj->gai", self.rotations, vectors).reshape(-1, 3)
        return torch.zeros_like(vectors).index_add(0, self.images.flatten(), turned) / len(self.rotations)

    def tensor(self, tensor: Float[Tensor, "3 3"]) -> Float[Tensor, "3 3"]:
        """A tensor of the whole crystal, such as its stress."""
        return torch.einsum("gij,jk,glk->il", self.rotations, tensor, self.rotations) / len(self.rotations)
