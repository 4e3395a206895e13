"""All pairs: the vectors between the atoms of crystals with as many atoms each, found anew whenever the atoms move."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from chggen.crystals.lattice import images_within


class AllPairs:
    """Searches crystals with as many atoms each for neighbours, whose cells stay while their atoms move.

    What depends on the cells alone is computed once, and every atom has all atoms of its crystal as possible
    neighbours, so that no list of them has to be made. This is the way of `edges_within` for small crystals, in a
    third of the operations.

    Args:
        lattice: Lattices of shape (crystals, 3, 3), rows in Å.
        n_atoms: Number of atoms in each crystal.
        cutoff: Largest distance in Å.
    """

    def __init__(self, lattice: Float[Tensor, "crystals 3 3"], n_atoms: int, cutoff: float) -> None:
        self._n = n_atoms
        self._lattice = lattice.double()
        reach = images_within(self._lattice, cutoff).amax(dim=0).tolist()
        axes = [torch.arange(-r, r + 1, device=lattice.device, dtype=torch.float64) for r in reach]
        shift = torch.cartesian_prod(*axes) @ self._lattice
        self._images = shift.shape[1]
        self._shift = shift.view(-1, 3)
        # |d + T|² ≤ r² is 2 d·T + |T|² − r² + |d|² ≤ 0
        self._twice = 2 * shift.transpose(1, 2)
        self._offset = ((shift**2).sum(-1) - cutoff**2)[:, None, :]

    def __call__(self, frac: Float[Tensor, "atoms 3"]) -> tuple[Float[Tensor, "edges 3"], Int[Tensor, "edges"]]:
        """Find the pairs within the cutoff, each with its images.

        Args:
            frac: Fractional coordinates of the atoms, shape (crystals · n_atoms, 3). They need not be wrapped.

        Returns:
            Vectors from one atom to another in Å, shape (edges, 3), float64. And the row of each in a table of all
            pairs: atom · n_atoms + number of the other atom in its crystal, shape (edges,), rising.
        """
        n = self._n
        position = frac.double()
        position = (position - torch.floor(position)).view(-1, n, 3)
        d = torch.bmm((position[:, None] - position[:, :, None]).flatten(1, 2), self._lattice)
        inside = torch.baddbmm(self._offset, d, self._twice)
        inside += (d * d).sum(-1, keepdim=True)
        inside.view(len(position), n, n, -1).diagonal(dim1=1, dim2=2)[:, self._images // 2] = torch.inf  # itself
        row, image = torch.nonzero(inside.view(-1, self._images) <= 0, as_tuple=True)
        if len(position) > 1:
            image = image + row.div(n * n, rounding_mode="floor") * self._images
        return d.view(-1, 3).index_select(0, row) + self._shift.index_select(0, image), row
