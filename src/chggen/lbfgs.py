"""Steps downhill for many crystals at once: limited-memory BFGS over the atoms and the cell of each.

Against FIRE (its constants tuned) on random cells with CHGNet, this took 0.6 of the steps at fmax 0.1 eV/Å (18 cells)
and 0.4 at 0.02 (10 cells). A cap on the step and a reset of the memory stand for a line search.
"""

from __future__ import annotations

import itertools
from typing import Final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

_MEMORY: Final = 15  # steps the curvature is learnt from
_LONGEST_STEP: Final = 0.2  # Å, of any atom in one step; also of a row of the cell in units of Lbfgs
_LARGEST_STRAIN: Final = 0.05  # in one step
_STIFFNESS: Final = 30.0  # eV/Å², of a bond: the curvature assumed before any is known
_SOFTEST: Final = 5.0  # eV/Å², least curvature assumed where none is known
_CURVED: Final = 1e-3  # eV/Å², least curvature along a step worth remembering; negative where it crossed a ridge


class Lbfgs:
    """L-BFGS over atoms (Å) and log-strain times n_atoms, the coordinates of ASE's FrechetCellFilter.

    Unlike there, the strain counts from the present cell: the metric follows the cell and the minima are the same. A
    crystal of n atoms is n + 3 rows, its atoms and its cell; nothing of one crystal depends on the others. All
    tensors are float64 on one device.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        zeros = torch.zeros(0, 3, dtype=torch.float64, device=device)
        self.sizes = torch.zeros(0, dtype=torch.long, device=device)  # atoms of each crystal
        self.steps = self.changes = zeros.expand(_MEMORY, 0, 3)  # of position and gradient, the newest first
        self.curvature = zeros.new_zeros(_MEMORY, 0)  # step · change of each crystal; 0: none remembered
        self.last_step = self.last_gradient = zeros
        self.moved = torch.zeros(0, dtype=torch.bool, device=device)

    def enter(self, sizes: Int[Tensor, "crystals"]) -> None:
        """Further crystals of so many atoms, behind those that are there."""
        rows = int(sizes.sum()) + 3 * len(sizes)
        self.sizes = torch.cat([self.sizes, sizes])
        self.steps, self.changes = (_longer(x, rows, 1) for x in (self.steps, self.changes))
        self.last_step, self.last_gradient = (_longer(x, rows, 0) for x in (self.last_step, self.last_gradient))
        self.curvature, self.moved = _longer(self.curvature, len(sizes), 1), _longer(self.moved, len(sizes), 0)

    def keep(self, stay: Bool[Tensor, "crystals"]) -> None:
        """The other crystals are done."""
        rows = stay.repeat_interleave(self.sizes + 3)
        self.steps, self.changes = self.steps[:, rows], self.changes[:, rows]
        self.last_step, self.last_gradient = self.last_step[rows], self.last_gradient[rows]
        self.sizes, self.curvature, self.moved = self.sizes[stay], self.curvature[:, stay], self.moved[stay]

    def step(
        self, forces: Float[Tensor, "atoms 3"], virial: Float[Tensor, "crystals 3 3"]
    ) -> tuple[Float[Tensor, "atoms 3"], Float[Tensor, "crystals 3 3"]]:
        """The steps of the atoms (Å) and the log-strains (dimensionless) for these forces (eV/Å) and virials (eV)."""
        n = len(self.sizes)
        crystal = torch.arange(n, device=forces.device)
        self.owner = crystal.repeat_interleave(self.sizes + 3)
        ends = torch.cumsum(self.sizes + 3, 0)
        is_cell = (torch.arange(len(self.owner), device=forces.device) - ends[self.owner]) >= -3
        scale = self.sizes.double()
        gradient = torch.zeros_like(self.last_gradient)
        gradient[~is_cell] = -forces
        gradient[is_cell] = -(virial / scale[:, None, None]).reshape(-1, 3)

        self._remember(gradient)
        downhill = -self._newton(gradient)
        misled = self._dot(downhill, gradient) >= 0
        self.curvature[:, misled] = 0
        downhill = torch.where(misled[self.owner, None], -gradient / _STIFFNESS, downhill)
        lengths = downhill.norm(dim=-1)
        longest = torch.zeros_like(scale).scatter_reduce(0, self.owner, lengths, "amax")
        strains = downhill[is_cell].abs().view(n, -1).amax(dim=1) / scale
        shorter = torch.minimum(_LONGEST_STEP / longest.clamp(min=1e-12), _LARGEST_STRAIN / strains.clamp(min=1e-12))
        rows = downhill * shorter.clamp(max=1.0)[self.owner, None]
        self.last_step, self.last_gradient = rows, gradient
        self.moved = torch.ones_like(self.moved)
        return rows[~is_cell], rows[is_cell].view(n, 3, 3) / scale[:, None, None]

    def _dot(self, a: Float[Tensor, "rows 3"], b: Float[Tensor, "rows 3"]) -> Float[Tensor, "crystals"]:
        return a.new_zeros(len(self.sizes)).index_add(0, self.owner, (a * b).sum(-1))

    def _remember(self, gradient: Float[Tensor, "rows 3"]) -> None:
        """The last step and what it changed; where it crossed a ridge, what was known before is forgotten."""
        step, change = self.last_step, gradient - self.last_gradient
        curvature = self._dot(step, change)
        good = self.moved & (curvature > _CURVED * self._dot(step, step))
        rows = good[self.owner, None]
        self.steps = torch.where(rows, torch.cat([step[None], self.steps[:-1]]), self.steps)
        self.changes = torch.where(rows, torch.cat([change[None], self.changes[:-1]]), self.changes)
        shifted = torch.cat([curvature[None], self.curvature[:-1]])
        self.curvature = torch.where(good, shifted, torch.where(self.moved, 0.0, self.curvature))

    def _newton(self, gradient: Float[Tensor, "rows 3"]) -> Float[Tensor, "rows 3"]:
        """The inverse Hessian of the memory times the gradient, by the two-loop recursion."""
        used = int((self.curvature > 0).any(dim=1).sum())
        inverse = torch.where(self.curvature > 0, 1 / self.curvature, 0.0)
        weights = []
        for k in range(used):
            weights.append(self._dot(self.steps[k], gradient) * inverse[k])
            gradient = gradient - weights[-1][self.owner, None] * self.changes[k]
        newest = self._dot(self.changes[0], self.changes[0])
        known = (self.curvature[0] / newest.clamp(min=1e-300)).clamp(max=1 / _SOFTEST)
        result = torch.where(self.curvature[0] > 0, known, 1 / _STIFFNESS)[self.owner, None] * gradient
        for k in reversed(range(used)):
            weight = weights[k] - self._dot(self.changes[k], result) * inverse[k]
            result = result + torch.where(inverse[k] > 0, weight, 0.0)[self.owner, None] * self.steps[k]
        return result


def _longer(tensor: Tensor, by: int, dim: int) -> Tensor:
    """The tensor with `by` zeros behind it along a dimension."""
    shape = list(tensor.shape)
    shape[dim] = by
    return torch.cat([tensor, tensor.new_zeros(shape)], dim=dim)


def rms_displacement(shift: Float[Tensor, "atoms 3"], lattice: Float[Tensor, "3 3"]) -> float:
    """Root mean square displacement, Å, of fractional shifts: minimum image, mean shift removed."""
    images = torch.tensor(list(itertools.product((-1.0, 0.0, 1.0), repeat=3)), dtype=shift.dtype)
    candidates = ((shift - shift.round())[:, None] + images) @ lattice
    nearest = candidates.norm(dim=-1).argmin(dim=1)
    displacement = candidates[torch.arange(len(shift)), nearest]
    return float((displacement - displacement.mean(dim=0)).square().sum(dim=-1).mean().sqrt())
