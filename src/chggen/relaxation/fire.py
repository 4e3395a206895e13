"""FIRE, a minimiser with inertia, for many crystals at once."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from chggen.relaxation.crystal_rows import LONGEST_STEP, dot, padded


class Fire:
    """The fast inertial relaxation engine, with the constants of ASE.

    The crystal moves like a mass point that is steered downhill. It speeds up as long as it goes downhill and stops
    when it goes uphill. Source: Bitzek et al., Phys. Rev. Lett. 97, 170201 (2006).

    All rows are float64 on one device. The module `optimizers` says what the rows of a crystal are.

    Attributes:
        time_step: Time step of each crystal, of shape (crystals,), in Å/√(eV), as all masses are 1.
        mixing: Share of the velocity that is turned into the direction of the force (α in the paper), of shape
            (crystals,).
        downhill_for: Number of steps that each crystal has gone downhill without a break, of shape (crystals,).
        velocity: Velocities, of shape (rows, 3), in √(eV).
    """

    _START, _LONGEST, _PATIENCE = 0.1, 1.0, 5  # time step, its limit, steps downhill before it grows
    _FASTER, _SLOWER, _MIXING, _LESS_MIXING = 1.1, 0.5, 0.1, 0.99

    def __init__(self, device: torch.device | str = "cpu") -> None:
        """Make an optimizer without crystals.

        Args:
            device: Device to compute on.
        """
        self.time_step = torch.zeros(0, dtype=torch.float64, device=device)
        self.mixing = torch.zeros_like(self.time_step)
        self.downhill_for = torch.zeros_like(self.time_step)
        self.velocity = self.time_step.new_zeros(0, 3)

    def enter(self, n: int, rows: int) -> None:
        """Add crystals behind those that are there.

        Args:
            n: Number of crystals.
            rows: Number of rows that they have together.
        """
        self.time_step = torch.cat([self.time_step, self.time_step.new_full((n,), self._START)])
        self.mixing = torch.cat([self.mixing, self.mixing.new_full((n,), self._MIXING)])
        self.downhill_for, self.velocity = padded(self.downhill_for, n, 0), padded(self.velocity, rows, 0)

    def keep(self, stay: Bool[Tensor, "crystals"], rows: Bool[Tensor, "rows"]) -> None:
        """Drop the crystals that are done.

        Args:
            stay: Which crystals stay, of shape (crystals,).
            rows: Which rows stay, of shape (rows,).
        """
        self.time_step, self.mixing = self.time_step[stay], self.mixing[stay]
        self.downhill_for, self.velocity = self.downhill_for[stay], self.velocity[rows]

    def step(self, force: Float[Tensor, "rows 3"], owner: Int[Tensor, "rows"]) -> Float[Tensor, "rows 3"]:
        """Return the next step of every row.

        Args:
            force: Forces, of shape (rows, 3), in eV/Å.
            owner: Index of the crystal that each row belongs to, of shape (rows,).

        Returns:
            Steps of shape (rows, 3), in Å. All rows of a crystal together are at most `LONGEST_STEP` long.
        """
        n, velocity = len(self.time_step), self.velocity
        speed = dot(velocity, velocity, owner, n)
        downhill = dot(force, velocity, owner, n) > 0
        turn = self.mixing * torch.sqrt(speed / dot(force, force, owner, n).clamp(min=1e-300))
        steered = (1 - self.mixing)[owner, None] * velocity + turn[owner, None] * force
        velocity = torch.where(downhill[owner, None], steered, 0.0)
        faster = downhill & (self.downhill_for > self._PATIENCE)
        uphill = ~downhill & (speed > 0)
        time_step = torch.where(faster, self._FASTER * self.time_step, self.time_step)
        self.time_step = torch.where(uphill, self._SLOWER * time_step, time_step).clamp(max=self._LONGEST)
        less = torch.where(faster, self._LESS_MIXING * self.mixing, self.mixing)
        self.mixing = torch.where(downhill, less, self._MIXING)
        self.downhill_for = torch.where(downhill, self.downhill_for + 1, 0.0)
        self.velocity = velocity + self.time_step[owner, None] * force
        rows = self.time_step[owner, None] * self.velocity
        length = torch.sqrt(dot(rows, rows, owner, n))
        return rows * (LONGEST_STEP / length.clamp(min=1e-300)).clamp(max=1.0)[owner, None]
