"""L-BFGS, a minimiser that learns the curvature from its last steps, for many crystals at once."""

from __future__ import annotations

from typing import Final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from chggen.relaxation.crystal_rows import LONGEST_STEP, dot, padded


class Lbfgs:
    """Limited-memory BFGS without a line search.

    A cap on the step length and a reset of the memory take the place of the line search, which would need further
    evaluations. Source: Nocedal, Math. Comp. 35, 773 (1980).

    All rows are float64 on one device. The module `optimizers` says what the rows of a crystal are.

    Attributes:
        steps: Remembered steps, of shape (memory, rows, 3), in Å, the newest first.
        changes: What each of them changed in the gradient, of shape (memory, rows, 3), in eV/Å.
        curvature: Scalar product of step and change, of shape (memory, crystals), in eV. Zero where a crystal remembers
            nothing.
        last_step: Step that was last taken, of shape (rows, 3), in Å. The caller sets it (see `step`).
        last_gradient: Gradient before that step, of shape (rows, 3), in eV/Å.
        moved: Which crystals have taken a step, of shape (crystals,).
    """

    _MEMORY: Final = 15  # steps that the curvature is learnt from
    _LARGEST_STRAIN: Final = 0.05  # in one step
    _STIFFNESS: Final = 30.0  # eV/Å², of a bond: the curvature assumed before any is known
    _SOFTEST: Final = 5.0  # eV/Å², least curvature assumed in directions that no remembered step has explored
    _CURVED: Final = 1e-3  # eV/Å², least curvature along a step worth remembering; it is negative across a ridge

    def __init__(self, device: torch.device | str = "cpu") -> None:
        """Make an optimizer without crystals.

        Args:
            device: Device to compute on.
        """
        zeros = torch.zeros(0, 3, dtype=torch.float64, device=device)
        self.steps = self.changes = zeros.expand(self._MEMORY, 0, 3)
        self.curvature = zeros.new_zeros(self._MEMORY, 0)
        self.last_step = self.last_gradient = zeros
        self.moved = torch.zeros(0, dtype=torch.bool, device=device)

    def enter(self, n: int, rows: int) -> None:
        """Add crystals behind those that are there.

        Args:
            n: Number of crystals.
            rows: Number of rows that they have together.
        """
        self.steps, self.changes = (padded(x, rows, 1) for x in (self.steps, self.changes))
        self.last_step, self.last_gradient = (padded(x, rows, 0) for x in (self.last_step, self.last_gradient))
        self.curvature, self.moved = padded(self.curvature, n, 1), padded(self.moved, n, 0)

    def keep(self, stay: Bool[Tensor, "crystals"], rows: Bool[Tensor, "rows"]) -> None:
        """Drop the crystals that are done.

        Args:
            stay: Which crystals stay, of shape (crystals,).
            rows: Which rows stay, of shape (rows,).
        """
        self.steps, self.changes = self.steps[:, rows], self.changes[:, rows]
        self.last_step, self.last_gradient = self.last_step[rows], self.last_gradient[rows]
        self.curvature, self.moved = self.curvature[:, stay], self.moved[stay]

    def step(
        self,
        gradient: Float[Tensor, "rows 3"],
        owner: Int[Tensor, "rows"],
        is_cell: Bool[Tensor, "rows"],
        scale: Float[Tensor, "crystals"],
    ) -> Float[Tensor, "rows 3"]:
        """Return the next step of every row, and learn the curvature from the last one.

        The caller has to set `last_step` to the step that is then taken, as that may be another one than this.

        Args:
            gradient: Gradient of the energy, of shape (rows, 3), in eV/Å.
            owner: Index of the crystal that each row belongs to, of shape (rows,).
            is_cell: Which rows are strains of a cell, of shape (rows,).
            scale: Factor in Å by which the logarithmic strain of each crystal is multiplied in its rows, of shape
                (crystals,).

        Returns:
            Steps of shape (rows, 3), in Å. No row is longer than `LONGEST_STEP`, and no strain is above 0.05.
        """
        n = len(scale)
        self._remember(gradient, owner)
        downhill = -self._newton(gradient, owner)
        misled = dot(downhill, gradient, owner, n) >= 0
        self.curvature[:, misled] = 0
        downhill = torch.where(misled[owner, None], -gradient / self._STIFFNESS, downhill)
        longest = torch.zeros_like(scale).scatter_reduce(0, owner, downhill.norm(dim=-1), "amax")
        strains = downhill[is_cell].abs().view(n, -1).amax(dim=1) / scale
        shorter = torch.minimum(
            LONGEST_STEP / longest.clamp(min=1e-12), self._LARGEST_STRAIN / strains.clamp(min=1e-12)
        )
        self.last_gradient = gradient
        self.moved = torch.ones_like(self.moved)
        return downhill * shorter.clamp(max=1.0)[owner, None]

    def _remember(self, gradient: Float[Tensor, "rows 3"], owner: Int[Tensor, "rows"]) -> None:
        """Remember the last step and the change of gradient that it made.

        A step of negative or no curvature has crossed a ridge. What was learnt on the other side is then forgotten.
        """
        step, change, n = self.last_step, gradient - self.last_gradient, len(self.moved)
        curvature = dot(step, change, owner, n)
        good = self.moved & (curvature > self._CURVED * dot(step, step, owner, n))
        rows = good[owner, None]
        self.steps = torch.where(rows, torch.cat([step[None], self.steps[:-1]]), self.steps)
        self.changes = torch.where(rows, torch.cat([change[None], self.changes[:-1]]), self.changes)
        shifted = torch.cat([curvature[None], self.curvature[:-1]])
        self.curvature = torch.where(good, shifted, torch.where(self.moved, 0.0, self.curvature))

    def _newton(self, gradient: Float[Tensor, "rows 3"], owner: Int[Tensor, "rows"]) -> Float[Tensor, "rows 3"]:
        """Return the remembered inverse Hessian times the gradient, by Nocedal's two-loop recursion."""
        n = len(self.moved)
        used = int((self.curvature > 0).any(dim=1).sum())
        inverse = torch.where(self.curvature > 0, 1 / self.curvature, 0.0)
        weights = []
        for k in range(used):
            weights.append(dot(self.steps[k], gradient, owner, n) * inverse[k])
            gradient = gradient - weights[-1][owner, None] * self.changes[k]
        newest = dot(self.changes[0], self.changes[0], owner, n)
        known = (self.curvature[0] / newest.clamp(min=1e-300)).clamp(max=1 / self._SOFTEST)
        result = torch.where(self.curvature[0] > 0, known, 1 / self._STIFFNESS)[owner, None] * gradient
        for k in reversed(range(used)):
            weight = weights[k] - dot(self.changes[k], result, owner, n) * inverse[k]
            result = result + torch.where(inverse[k] > 0, weight, 0.0)[owner, None] * self.steps[k]
        return result
