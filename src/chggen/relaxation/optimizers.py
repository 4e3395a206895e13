"""The optimizers of a relaxation, for many crystals at once: FIRE, L-BFGS, or one after the other.

An optimizer sees a crystal of n atoms as n + 3 rows of three numbers. The first n are the positions of its atoms (Å).
The last three are its logarithmic strain times n Å, as in ASE's `FrechetCellFilter`. In contrast to ASE, the strain is
counted from the present cell instead of the first one; the minima are the same.

Nothing of one crystal depends on the others. All tensors are float64 on one device.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from chggen.relaxation.fire import Fire
from chggen.relaxation.lbfgs import Lbfgs

OPTIMIZERS: Final = {"fire": 0.0, "lbfgs": math.inf, "fire-lbfgs": 1.0}
"""Name → the largest force (eV/Å) at which L-BFGS takes a crystal over from FIRE, for good."""


class Optimizer:
    """Steps all crystals with FIRE as long as their forces are large, then with L-BFGS.

    The name may also choose one of the two alone. With CHGNet on 64 candidates in random cells and fmax 0.05 eV/Å,
    L-BFGS needed half of FIRE's steps and mostly ended lower in energy. Four structures ended above FIRE's energy with
    L-BFGS alone, and one after a start with FIRE, which cost no further steps.

    Attributes:
        handover: Largest force in eV/Å at which L-BFGS takes a crystal over.
        sizes: Number of atoms of each crystal, of shape (crystals,).
        rough: Which crystals FIRE still moves, of shape (crystals,).
        fire: The FIRE optimizer of all crystals.
        lbfgs: The L-BFGS optimizer of all crystals.
    """

    def __init__(self, device: torch.device | str = "cpu", name: str = "fire-lbfgs") -> None:
        """Make an optimizer without crystals.

        Args:
            device: Device to compute on.
            name: A name from `OPTIMIZERS`.
        """
        self.handover = OPTIMIZERS[name]
        self.sizes = torch.zeros(0, dtype=torch.long, device=device)
        self.rough = torch.zeros(0, dtype=torch.bool, device=device)
        self.fire, self.lbfgs = Fire(device), Lbfgs(device)

    def enter(self, sizes: Int[Tensor, "crystals"]) -> None:
        """Add crystals behind those that are there.

        Args:
            sizes: Number of atoms of each, of shape (crystals,).
        """
        rows = int(sizes.sum()) + 3 * len(sizes)
        self.sizes = torch.cat([self.sizes, sizes])
        self.rough = torch.cat([self.rough, torch.ones_like(sizes, dtype=torch.bool)])
        self.fire.enter(len(sizes), rows)
        self.lbfgs.enter(len(sizes), rows)

    def keep(self, stay: Bool[Tensor, "crystals"]) -> None:
        """Drop the crystals that are done.

        Args:
            stay: Which crystals stay, of shape (crystals,).
        """
        rows = stay.repeat_interleave(self.sizes + 3)
        self.sizes, self.rough = self.sizes[stay], self.rough[stay]
        self.fire.keep(stay, rows)
        self.lbfgs.keep(stay, rows)

    def step(
        self, forces: Float[Tensor, "atoms 3"], virial: Float[Tensor, "crystals 3 3"]
    ) -> tuple[Float[Tensor, "atoms 3"], Float[Tensor, "crystals 3 3"]]:
        """Return the next step of all atoms and cells.

        Args:
            forces: Forces on the atoms, of shape (atoms, 3), in eV/Å. Fixed atoms have none.
            virial: −V(stress + pressure) of each crystal, of shape (crystals, 3, 3), in eV. Zero for a fixed cell.

        Returns:
            The steps of the atoms, of shape (atoms, 3), in Å, and the logarithmic strains of the cells, of shape
            (crystals, 3, 3), without a unit.
        """
        n, device = len(self.sizes), forces.device
        owner = torch.arange(n, device=device).repeat_interleave(self.sizes + 3)
        ends = torch.cumsum(self.sizes + 3, 0)
        is_cell = torch.arange(len(owner), device=device) - ends[owner] >= -3
        scale = self.sizes.double()
        force = forces.new_zeros(len(owner), 3)
        force[~is_cell] = forces
        force[is_cell] = (virial / scale[:, None, None]).reshape(-1, 3)

        largest = torch.zeros_like(scale).scatter_reduce(0, owner, force.norm(dim=-1), "amax")
        self.rough = self.rough & (largest > self.handover)
        rows = self.lbfgs.step(-force, owner, is_cell, scale)
        if bool(self.rough.any()):
            rows = torch.where(self.rough[owner, None], self.fire.step(force, owner), rows)
        self.lbfgs.last_step = rows  # L-BFGS learns the curvature from FIRE's steps, too
        return rows[~is_cell], rows[is_cell].view(n, 3, 3) / scale[:, None, None]
