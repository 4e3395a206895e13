"""Steps downhill for many crystals at once, over the atoms and the cell of each: FIRE, L-BFGS, or one after the other.

A crystal of n atoms is n + 3 rows: its atoms (Å), and its log-strain times n, as in ASE's FrechetCellFilter. Unlike
there, the strain counts from the present cell: the metric follows the cell and the minima are the same. Nothing of one
crystal depends on the others. All tensors are float64 on one device.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

OPTIMIZERS: Final = {"fire": 0.0, "lbfgs": math.inf, "fire-lbfgs": 1.0}
"""Name → the largest force (eV/Å) at which L-BFGS takes a crystal over from FIRE, for good."""
_LONGEST_STEP: Final = 0.2  # Å: of the longest row with L-BFGS, of all rows together with FIRE, as in ASE


class Optimizer:
    """FIRE downhill to the valley, L-BFGS along it (or one of the two alone, by the name).

    On 64 candidates in random cells, CHGNet, fmax 0.05 eV/Å, L-BFGS takes half of FIRE's steps and mostly ends lower;
    starting it in the valley costs nothing and leaves one structure above FIRE's energy where four were without.
    """

    def __init__(self, device: torch.device | str = "cpu", name: str = "fire-lbfgs") -> None:
        self.handover = OPTIMIZERS[name]
        self.sizes = torch.zeros(0, dtype=torch.long, device=device)  # atoms of each crystal
        self.rough = torch.zeros(0, dtype=torch.bool, device=device)  # still FIRE's
        self.fire, self.lbfgs = Fire(device), Lbfgs(device)

    def enter(self, sizes: Int[Tensor, "crystals"]) -> None:
        """Further crystals of so many atoms, behind those that are there."""
        rows = int(sizes.sum()) + 3 * len(sizes)
        self.sizes = torch.cat([self.sizes, sizes])
        self.rough = torch.cat([self.rough, torch.ones_like(sizes, dtype=torch.bool)])
        self.fire.enter(len(sizes), rows)
        self.lbfgs.enter(len(sizes), rows)

    def keep(self, stay: Bool[Tensor, "crystals"]) -> None:
        """The other crystals are done."""
        rows = stay.repeat_interleave(self.sizes + 3)
        self.sizes, self.rough = self.sizes[stay], self.rough[stay]
        self.fire.keep(stay, rows)
        self.lbfgs.keep(stay, rows)

    def step(
        self, forces: Float[Tensor, "atoms 3"], virial: Float[Tensor, "crystals 3 3"]
    ) -> tuple[Float[Tensor, "atoms 3"], Float[Tensor, "crystals 3 3"]]:
        """The steps of the atoms (Å) and the log-strains (dimensionless) for these forces (eV/Å) and virials (eV)."""
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
        self.lbfgs.last_step = rows  # FIRE's steps, too, tell of the curvature
        return rows[~is_cell], rows[is_cell].view(n, 3, 3) / scale[:, None, None]


class Fire:
    """FIRE (Bitzek et al., Phys. Rev. Lett. 97, 170201, 2006) with the constants of ASE's: downhill with inertia."""

    _START, _LONGEST, _PATIENCE = 0.1, 1.0, 5  # time step, its limit, steps downhill before it grows
    _FASTER, _SLOWER, _MIXING, _LESS_MIXING = 1.1, 0.5, 0.1, 0.99

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.time_step = torch.zeros(0, dtype=torch.float64, device=device)
        self.mixing = torch.zeros_like(self.time_step)
        self.downhill_for = torch.zeros_like(self.time_step)
        self.velocity = self.time_step.new_zeros(0, 3)

    def enter(self, n: int, rows: int) -> None:
        self.time_step = torch.cat([self.time_step, self.time_step.new_full((n,), self._START)])
        self.mixing = torch.cat([self.mixing, self.mixing.new_full((n,), self._MIXING)])
        self.downhill_for, self.velocity = _longer(self.downhill_for, n, 0), _longer(self.velocity, rows, 0)

    def keep(self, stay: Bool[Tensor, "crystals"], rows: Bool[Tensor, "rows"]) -> None:
        self.time_step, self.mixing = self.time_step[stay], self.mixing[stay]
        self.downhill_for, self.velocity = self.downhill_for[stay], self.velocity[rows]

    def step(self, force: Float[Tensor, "rows 3"], owner: Int[Tensor, "rows"]) -> Float[Tensor, "rows 3"]:
        n, v = len(self.time_step), self.velocity
        speed = _dot(v, v, owner, n)
        downhill = _dot(force, v, owner, n) > 0
        turn = self.mixing * torch.sqrt(speed / _dot(force, force, owner, n).clamp(min=1e-300))
        steered = (1 - self.mixing)[owner, None] * v + turn[owner, None] * force
        v = torch.where(downhill[owner, None], steered, 0.0)
        faster = downhill & (self.downhill_for > self._PATIENCE)
        uphill = ~downhill & (speed > 0)
        dt = torch.where(faster, self._FASTER * self.time_step, self.time_step)
        self.time_step = torch.where(uphill, self._SLOWER * dt, dt).clamp(max=self._LONGEST)
        less = torch.where(faster, self._LESS_MIXING * self.mixing, self.mixing)
        self.mixing = torch.where(downhill, less, self._MIXING)
        self.downhill_for = torch.where(downhill, self.downhill_for + 1, 0.0)
        self.velocity = v + self.time_step[owner, None] * force
        rows = self.time_step[owner, None] * self.velocity
        length = torch.sqrt(_dot(rows, rows, owner, n))
        return rows * (_LONGEST_STEP / length.clamp(min=1e-300)).clamp(max=1.0)[owner, None]


class Lbfgs:
    """Limited-memory BFGS; a cap on the step and a reset of the memory stand for a line search."""

    _MEMORY: Final = 15  # steps the curvature is learnt from
    _LARGEST_STRAIN: Final = 0.05  # in one step
    _STIFFNESS: Final = 30.0  # eV/Å², of a bond: the curvature assumed before any is known
    _SOFTEST: Final = 5.0  # eV/Å², least curvature assumed where none is known
    _CURVED: Final = 1e-3  # eV/Å², least curvature along a step worth remembering; negative where it crossed a ridge

    def __init__(self, device: torch.device | str = "cpu") -> None:
        zeros = torch.zeros(0, 3, dtype=torch.float64, device=device)
        self.steps = self.changes = zeros.expand(self._MEMORY, 0, 3)  # of position and gradient, the newest first
        self.curvature = zeros.new_zeros(self._MEMORY, 0)  # step · change of each crystal; 0: none remembered
        self.last_step = self.last_gradient = zeros
        self.moved = torch.zeros(0, dtype=torch.bool, device=device)

    def enter(self, n: int, rows: int) -> None:
        self.steps, self.changes = (_longer(x, rows, 1) for x in (self.steps, self.changes))
        self.last_step, self.last_gradient = (_longer(x, rows, 0) for x in (self.last_step, self.last_gradient))
        self.curvature, self.moved = _longer(self.curvature, n, 1), _longer(self.moved, n, 0)

    def keep(self, stay: Bool[Tensor, "crystals"], rows: Bool[Tensor, "rows"]) -> None:
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
        """scale: what the log-strains are multiplied with. last_step is the caller's to set: it may go elsewhere."""
        n = len(scale)
        self._remember(gradient, owner)
        downhill = -self._newton(gradient, owner)
        misled = _dot(downhill, gradient, owner, n) >= 0
        self.curvature[:, misled] = 0
        downhill = torch.where(misled[owner, None], -gradient / self._STIFFNESS, downhill)
        longest = torch.zeros_like(scale).scatter_reduce(0, owner, downhill.norm(dim=-1), "amax")
        strains = downhill[is_cell].abs().view(n, -1).amax(dim=1) / scale
        shorter = torch.minimum(
            _LONGEST_STEP / longest.clamp(min=1e-12), self._LARGEST_STRAIN / strains.clamp(min=1e-12)
        )
        self.last_gradient = gradient
        self.moved = torch.ones_like(self.moved)
        return downhill * shorter.clamp(max=1.0)[owner, None]

    def _remember(self, gradient: Float[Tensor, "rows 3"], owner: Int[Tensor, "rows"]) -> None:
        """The last step and what it changed; where it crossed a ridge, what was known before is forgotten."""
        step, change, n = self.last_step, gradient - self.last_gradient, len(self.moved)
        curvature = _dot(step, change, owner, n)
        good = self.moved & (curvature > self._CURVED * _dot(step, step, owner, n))
        rows = good[owner, None]
        self.steps = torch.where(rows, torch.cat([step[None], self.steps[:-1]]), self.steps)
        self.changes = torch.where(rows, torch.cat([change[None], self.changes[:-1]]), self.changes)
        shifted = torch.cat([curvature[None], self.curvature[:-1]])
        self.curvature = torch.where(good, shifted, torch.where(self.moved, 0.0, self.curvature))

    def _newton(self, gradient: Float[Tensor, "rows 3"], owner: Int[Tensor, "rows"]) -> Float[Tensor, "rows 3"]:
        """The inverse Hessian of the memory times the gradient, by the two-loop recursion."""
        n = len(self.moved)
        used = int((self.curvature > 0).any(dim=1).sum())
        inverse = torch.where(self.curvature > 0, 1 / self.curvature, 0.0)
        weights = []
        for k in range(used):
            weights.append(_dot(self.steps[k], gradient, owner, n) * inverse[k])
            gradient = gradient - weights[-1][owner, None] * self.changes[k]
        newest = _dot(self.changes[0], self.changes[0], owner, n)
        known = (self.curvature[0] / newest.clamp(min=1e-300)).clamp(max=1 / self._SOFTEST)
        result = torch.where(self.curvature[0] > 0, known, 1 / self._STIFFNESS)[owner, None] * gradient
        for k in reversed(range(used)):
            weight = weights[k] - _dot(self.changes[k], result, owner, n) * inverse[k]
            result = result + torch.where(inverse[k] > 0, weight, 0.0)[owner, None] * self.steps[k]
        return result


def _dot(
    a: Float[Tensor, "rows 3"], b: Float[Tensor, "rows 3"], owner: Int[Tensor, "rows"], n: int
) -> Float[Tensor, "crystals"]:
    return a.new_zeros(n).index_add(0, owner, (a * b).sum(-1))


def _longer(tensor: Tensor, by: int, dim: int) -> Tensor:
    """The tensor with `by` zeros behind it along a dimension."""
    shape = list(tensor.shape)
    shape[dim] = by
    return torch.cat([tensor, tensor.new_zeros(shape)], dim=dim)
