"""The structures of a relaxation on their way down: one evaluation and one step of the optimizer move them all.

Step length, curvature and convergence belong to each structure alone, so that its result does not depend on its batch
mates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from chggen.crystals import Crystals, batch, from_structures, volume, wrap
from chggen.potential import EnergyForcesStress, Potential
from chggen.relaxation.optimizers import Optimizer
from chggen.relaxation.result import NO_ENERGY, Frame, Goal, Relaxed, displacement, failed
from chggen.relaxation.symmetry_constraint import SymmetryConstraint

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure

_VOLUME_RANGE: Final = (0.25, 4.0)  # of the start
_DEEPEST_FALL: Final = 50.0  # eV/atom; no relaxation gains as much, a hole in the potential does


@dataclass
class Descent:
    """What a structure keeps for itself while it is on its way."""

    index: int
    given: Structure
    free: Tensor
    symmetrizer: SymmetryConstraint | None = None
    n_steps: int = 0
    initial: float | None = None  # eV/atom
    frames: list[Frame] = field(default_factory=list)


class MovingBatch:
    """The structures on their way: unwrapped fractional coordinates and lattices (Å), float64 on the device."""

    def __init__(self, goal: Goal, device: str) -> None:
        self.goal = goal
        self.device = device
        self.descents: list[Descent] = []
        self.optimizer = Optimizer(device, goal.optimizer)
        self.start = _joined([]).to(device)
        self.frac = self.start.frac_coords
        self.lattice = self.start.lattice
        self.free = torch.zeros(0, dtype=torch.bool, device=device)

    def enter(self, descents: Sequence[Descent]) -> None:
        """Take up further structures."""
        if not descents:
            return
        new = from_structures([d.given for d in descents]).to(self.device)
        frac = np.concatenate([d.given.frac_coords for d in descents])
        self.descents += descents
        self.start = _joined([*self.start.split(), *new.split()])
        self.frac = torch.cat([self.frac, torch.from_numpy(frac).to(self.frac)])
        self.lattice = torch.cat([self.lattice, new.lattice])
        self.free = torch.cat([self.free, *(d.free.to(self.free.device) for d in descents)])
        self.optimizer.enter(new.n_atoms)

    def advance(self, model: Potential) -> list[tuple[int, Relaxed]]:
        """One step of all; those that are done with it leave."""
        if not self.descents:
            return []
        now = replace(self.start, frac_coords=wrap(self.frac), lattice=self.lattice)
        seen = model(now)
        forces = torch.where(self.free[:, None], seen.forces.double(), 0.0)
        virial = self._virial(seen.stress.double())
        for k, descent in enumerate(self.descents):
            if descent.symmetrizer is not None:
                atoms = self.start.crystal_index == k
                forces[atoms] = descent.symmetrizer.vectors(forces[atoms])
                virial[k] = descent.symmetrizer.tensor(virial[k])
        outcomes = self._outcomes(seen, forces, virial)
        stay = [outcome is None for outcome in outcomes]
        done = [(d.index, o) for d, o in zip(self.descents, outcomes, strict=True) if o is not None]
        if done:
            going = torch.tensor(stay, device=self.free.device)
            atoms = going[self.start.crystal_index]
            self.optimizer.keep(going)
            self.descents = [d for d, on in zip(self.descents, stay, strict=True) if on]
            self.start = _joined([c for c, on in zip(self.start.split(), stay, strict=True) if on]).to(self.device)
            self.frac, self.free, self.lattice = self.frac[atoms], self.free[atoms], self.lattice[going]
            forces, virial = forces[atoms], virial[going]
        if self.descents:
            self._move(*self.optimizer.step(forces, virial))
        return done

    def _virial(self, stress: Float[Tensor, "crystals 3 3"]) -> Float[Tensor, "crystals 3 3"]:
        """−V(stress + pressure), eV: the force on the log-strain; symmetric, so the cell does not turn."""
        if self.goal.fix_cell:
            return torch.zeros_like(stress)
        whole = (stress + stress.transpose(1, 2)) / 2 + self.goal.pressure * torch.eye(3).to(stress)
        return -volume(self.lattice)[:, None, None] * whole

    def _move(self, step: Float[Tensor, "atoms 3"], strain: Float[Tensor, "crystals 3 3"]) -> None:
        """Move the atoms by a Cartesian step (Å), then strain cells and atoms together."""
        inverse = torch.linalg.inv(self.lattice)[self.start.crystal_index]
        moved = self.frac + torch.einsum("ai,aij->aj", step, inverse)
        self.frac = torch.where(self.free[:, None], moved, self.frac)
        if not self.goal.fix_cell:
            self.lattice = self.lattice @ _exponential(strain)
        for descent in self.descents:
            descent.n_steps += 1

    def _outcomes(
        self, seen: EnergyForcesStress, forces: Float[Tensor, "atoms 3"], virial: Float[Tensor, "crystals 3 3"]
    ) -> list[Relaxed | None]:
        """The outcome of each structure for which this is the end, else None."""
        n, counts = len(self.descents), self.start.n_atoms
        energy = seen.energy.double() / counts
        largest = energy.new_zeros(n).scatter_reduce(0, self.start.crystal_index, forces.norm(dim=-1), "amax")
        pull = (virial / counts[:, None, None]).norm(dim=-1).amax(dim=-1)
        ratio = volume(self.lattice) / volume(self.start.lattice)
        table = torch.stack([energy, largest, pull, ratio], dim=1).cpu().tolist()
        at = [0, *torch.cumsum(counts, 0).tolist()]
        found: list[Relaxed | None] = []
        for k, (d, (e, fmax, strain, swelling)) in enumerate(zip(self.descents, table, strict=True)):
            if not np.isfinite([e, fmax, strain]).all():
                why = f"{seen.failures.get(k, NO_ENERGY)} after {d.n_steps} steps"
                found.append(failed(d.given, why, d.n_steps, d.initial, d.frames))
                continue
            d.initial = e if d.initial is None else d.initial
            if self.goal.trajectory:
                d.frames.append(self._frame(k, e, seen.forces[at[k] : at[k + 1]], seen.stress[k]))
            residual = max(fmax, strain)
            if (reason := _explosion(e, d, swelling)) is not None:
                found.append(failed(d.given, reason, d.n_steps, d.initial, d.frames))
            elif residual < self.goal.fmax:
                found.append(self._reached(k, e, fmax, None))
            elif d.n_steps >= self.goal.max_steps:
                why = f"not converged in {d.n_steps} steps, {residual:.2g} eV/Å left"
                found.append(self._reached(k, e, fmax, why))
            else:
                found.append(None)
        return found

    def _structure(self, k: int) -> Structure:
        from pymatgen.core.lattice import Lattice
        from pymatgen.core.structure import Structure

        given = self.descents[k].given
        own = given.lattice if self.goal.fix_cell else Lattice(self.lattice[k].cpu().numpy(), given.lattice.pbc)
        frac = self.frac[self.start.crystal_index == k].cpu().numpy()
        return Structure(own, given.species, frac, site_properties=given.site_properties)

    def _frame(self, k: int, energy: float, forces: Tensor, stress: Tensor) -> Frame:
        return Frame(
            structure=self._structure(k),
            energy_per_atom=energy,
            forces=forces.double().cpu().numpy(),
            stress=stress.double().cpu().numpy(),
        )

    def _reached(self, k: int, energy: float, fmax: float, reason: str | None) -> Relaxed:
        d, structure = self.descents[k], self._structure(k)
        return Relaxed(
            structure=structure,
            energy_per_atom=energy,
            initial_energy_per_atom=d.initial,
            fmax=fmax,
            n_steps=d.n_steps,
            converged=reason is None,
            reason=reason,
            rmsd=displacement(d.given, structure),
            trajectory=tuple(d.frames),
        )


def _exponential(strain: Float[Tensor, "crystals 3 3"]) -> Float[Tensor, "crystals 3 3"]:
    """exp of small matrices by ten terms, exact to rounding up to a norm of 0.15; torch's own depends on the batch."""
    unit = torch.eye(3).to(strain)
    result = unit
    for k in range(10, 0, -1):
        result = unit + strain @ result / k
    return result.expand_as(strain)


def _joined(parts: Sequence[Crystals]) -> Crystals:
    """The crystals as one batch, which may be empty."""
    if parts:
        return batch(parts)
    none = torch.zeros(0, dtype=torch.long)
    places = torch.zeros(0, 3, dtype=torch.float64)
    cells = torch.zeros(0, 3, 3, dtype=torch.float64)
    return Crystals(frac_coords=places, lattice=cells, atomic_numbers=none, crystal_index=none, guest=none.bool())


def _explosion(energy: float, descent: Descent, swelling: float) -> str | None:
    low, high = _VOLUME_RANGE
    if not low <= swelling <= high:
        return f"the volume went to {swelling:.2g} times its start in {descent.n_steps} steps"
    if descent.initial is not None and energy < descent.initial - _DEEPEST_FALL:
        return f"the energy fell to {energy:.0f} eV/atom, outside what the potential knows"
    return None
