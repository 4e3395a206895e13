"""Steps downhill: limited-memory BFGS over the atoms and cell of one crystal, and how far its atoms went.

Against FIRE (its constants tuned) on random cells with CHGNet, this took 0.6 of the steps at fmax 0.1 eV/Å (18 cells)
and 0.4 at 0.02 (10 cells). A cap on the step and a reset of the memory stand for a line search.
"""

from __future__ import annotations

import itertools
from collections import deque
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

_MEMORY: Final = 15  # steps the curvature is learnt from
_LONGEST_STEP: Final = 0.2  # Å, of any atom in one step; also of a row of the cell in units of Lbfgs
_LARGEST_STRAIN: Final = 0.05  # in one step
_STIFFNESS: Final = 30.0  # eV/Å², of a bond: the curvature assumed before any is known
_SOFTEST: Final = 5.0  # eV/Å², least curvature assumed where none is known
_CURVED: Final = (
    1e-3  # eV/Å², curvature along a step that is worth remembering; negative where the step crossed a ridge
)


class Lbfgs:
    """L-BFGS over atoms (Å) and log-strain times n_atoms, the coordinates of ASE's FrechetCellFilter.

    Unlike there, the strain counts from the present cell: the metric follows the cell and the minima are the same.
    """

    def __init__(self, n_atoms: int) -> None:
        self.scale = float(n_atoms)
        self.memory: deque[tuple[Tensor, Tensor]] = deque(maxlen=_MEMORY)  # steps, changes of the gradient
        self.last: tuple[Tensor, Tensor] | None = None

    def step(
        self, forces: Float[Tensor, "atoms 3"], virial: Float[Tensor, "3 3"]
    ) -> tuple[Float[Tensor, "atoms 3"], Float[Tensor, "3 3"]]:
        """The step of the atoms (Å) and the log-strain (dimensionless) for these forces (eV/Å) and virial (eV)."""
        gradient = -torch.cat([forces, virial / self.scale]).flatten()
        if self.last is not None:
            step, before = self.last
            change = gradient - before
            if float(step @ change) > _CURVED * float(step @ step):
                self.memory.append((step, change))
            else:
                self.memory.clear()
        downhill = -self._newton(gradient)
        if float(downhill @ gradient) >= 0:  # the memory misleads
            self.memory.clear()
            downhill = -gradient / _STIFFNESS
        rows = downhill.view(-1, 3)
        longest = max(float(rows.norm(dim=-1).max()), 1e-12)
        largest = max(float(rows[-3:].abs().max()) / self.scale, 1e-12)
        rows = rows * min(1.0, _LONGEST_STEP / longest, _LARGEST_STRAIN / largest)
        self.last = rows.flatten(), gradient
        return rows[:-3], rows[-3:] / self.scale

    def _newton(self, gradient: Float[Tensor, "coordinates"]) -> Float[Tensor, "coordinates"]:
        """The inverse Hessian of the memory times the gradient, by the two-loop recursion."""
        weights = []
        for step, change in reversed(self.memory):
            weights.append(float(step @ gradient) / float(step @ change))
            gradient = gradient - weights[-1] * change
        compliance = 1 / _STIFFNESS
        if self.memory:
            step, change = self.memory[-1]
            compliance = min(float(step @ change) / float(change @ change), 1 / _SOFTEST)
        result = compliance * gradient
        for (step, change), weight in zip(self.memory, reversed(weights), strict=True):
            result = result + (weight - float(change @ result) / float(step @ change)) * step
        return result


def rms_displacement(shift: Float[Tensor, "atoms 3"], lattice: Float[Tensor, "3 3"]) -> float:
    """Root mean square displacement, Å, of fractional shifts: minimum image, mean shift removed."""
    images = torch.tensor(list(itertools.product((-1.0, 0.0, 1.0), repeat=3)), dtype=shift.dtype)
    candidates = ((shift - shift.round())[:, None] + images) @ lattice
    nearest = candidates.norm(dim=-1).argmin(dim=1)
    displacement = candidates[torch.arange(len(shift)), nearest]
    return float((displacement - displacement.mean(dim=0)).square().sum(dim=-1).mean().sqrt())
