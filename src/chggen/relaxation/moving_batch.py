"""The batch of structures that are being relaxed: one evaluation and one optimizer step move them all.

Step lengths, curvature and convergence belong to each structure alone. Its result therefore does not depend on the
other structures of the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from chggen.crystals import Crystals, collate, from_structures, volume, wrap
from chggen.errors import counted
from chggen.potential import EnergyForcesStress, Potential, evaluate
from chggen.relaxation.optimizers import Optimizer
from chggen.relaxation.result import NO_ENERGY, Frame, Goal, Relaxed, displacement, failed
from chggen.symmetry import SymmetryConstraint

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure

_VOLUME_RANGE: Final = (0.25, 4.0)  # of the volume at the start
_DEEPEST_FALL: Final = 50.0  # eV/atom; no true relaxation gains as much, only a hole in the potential does


@dataclass
class Descent:
    """One structure on its way down, with what belongs to it alone.

    Attributes:
        index: Place of the structure in the caller's list.
        given: The structure as it was given.
        free: Which atoms may move, of shape (atoms,).
        symmetry: Constraint that keeps its symmetry, None if no symmetry is kept.
        n_steps: Number of steps taken so far.
        initial: Energy of the given structure in eV/atom, None before the first evaluation.
        frames: The steps so far, if a trajectory was asked for.
    """

    index: int
    given: Structure
    free: Tensor
    symmetry: SymmetryConstraint | None = None
    n_steps: int = 0
    initial: float | None = None
    frames: list[Frame] = field(default_factory=list)


class MovingBatch:
    """The structures that are being relaxed, as tensors in float64 on one device.

    Atoms of all structures follow one another in the order of `descents`.

    Attributes:
        goal: Options that all structures share.
        device: Device of all tensors.
        descents: The structures, one record each.
        optimizer: Optimizer that steps all of them.
        start: The structures as they were given.
        frac: Fractional coordinates, of shape (atoms, 3). They are not wrapped, so that atoms can be followed across
            the faces of the cell.
        lattice: Lattices, of shape (crystals, 3, 3), in Å.
        free: Which atoms may move, of shape (atoms,).
    """

    def __init__(self, goal: Goal, device: str) -> None:
        """Make an empty batch.

        Args:
            goal: Options that all structures share.
            device: Device to compute on.
        """
        self.goal = goal
        self.device = device
        self.descents: list[Descent] = []
        self.optimizer = Optimizer(device, goal.optimizer)
        self.start = _joined([]).to(device)
        self.frac = self.start.frac_coords
        self.lattice = self.start.lattice
        self.free = torch.zeros(0, dtype=torch.bool, device=device)

    def enter(self, descents: Sequence[Descent]) -> None:
        """Add structures to the batch.

        Args:
            descents: The structures to add, behind those that are there.
        """
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
        """Evaluate all structures, take out those that are done, and move the others by one step.

        Args:
            model: The potential.

        Returns:
            Index and result of each structure that is done. It is no longer in the batch.
        """
        if not self.descents:
            return []
        present = replace(self.start, frac_coords=wrap(self.frac), lattice=self.lattice)
        evaluation = evaluate(model, present, [descent.symmetry for descent in self.descents])
        forces = torch.where(self.free[:, None], evaluation.forces.double(), 0.0)
        virial = self._virial(evaluation.stress.double())
        for k, descent in enumerate(self.descents):
            if descent.symmetry is not None:
                atoms = self.start.crystal_index == k
                forces[atoms] = descent.symmetry.vectors(forces[atoms])
                virial[k] = descent.symmetry.tensor(virial[k])
        outcomes = self._outcomes(evaluation, forces, virial)
        done = [(d.index, o) for d, o in zip(self.descents, outcomes, strict=True) if o is not None]
        if done:
            going_on = torch.tensor([outcome is None for outcome in outcomes], device=self.free.device)
            forces, virial = forces[going_on[self.start.crystal_index]], virial[going_on]
            self._keep(going_on)
        if self.descents:
            self._move(*self.optimizer.step(forces, virial))
        return done

    def _keep(self, going_on: Tensor) -> None:
        """Take the other structures out of the batch."""
        atoms, stay = going_on[self.start.crystal_index], going_on.tolist()
        self.optimizer.keep(going_on)
        self.descents = [d for d, on in zip(self.descents, stay, strict=True) if on]
        self.start = _joined([c for c, on in zip(self.start.split(), stay, strict=True) if on]).to(self.device)
        self.frac, self.free, self.lattice = self.frac[atoms], self.free[atoms], self.lattice[going_on]

    def _virial(self, stress: Float[Tensor, "crystals 3 3"]) -> Float[Tensor, "crystals 3 3"]:
        """Return −V(stress + pressure) in eV, the force on the logarithmic strain of each cell.

        It is made symmetric, so that the cell does not rotate, and is zero for fixed cells.
        """
        if self.goal.fix_cell:
            return torch.zeros_like(stress)
        total = (stress + stress.transpose(1, 2)) / 2 + self.goal.pressure * torch.eye(3).to(stress)
        virial = -volume(self.lattice)[:, None, None] * total
        return virial if self.goal.axis is None else self._along_normal(virial, self.goal.axis)

    def _along_normal(self, virial: Float[Tensor, "crystals 3 3"], axis: int) -> Float[Tensor, "crystals 3 3"]:
        """Return the part of a virial that changes heights along the normal of the other two axes alone."""
        one, other = (self.lattice[:, k] for k in range(3) if k != axis)
        normal = torch.linalg.cross(one, other)
        normal = normal / normal.norm(dim=-1, keepdim=True)
        along = torch.einsum("ci,cij,cj->c", normal, virial, normal)
        part: Tensor = along[:, None, None] * normal[:, :, None] * normal[:, None, :]
        return part

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
        self, evaluation: EnergyForcesStress, forces: Float[Tensor, "atoms 3"], virial: Float[Tensor, "crystals 3 3"]
    ) -> list[Relaxed | None]:
        """Return the result of each structure that is done, None for those that go on."""
        counts = self.start.n_atoms
        energy = evaluation.energy.double() / counts
        largest_force = energy.new_zeros(len(self.descents)).scatter_reduce(
            0, self.start.crystal_index, forces.norm(dim=-1), "amax"
        )
        cell_force = (virial / counts[:, None, None]).norm(dim=-1).amax(dim=-1)
        volume_ratio = volume(self.lattice) / volume(self.start.lattice)
        # One table, as each transfer from a GPU costs more than the numbers in it.
        table = torch.stack([energy, largest_force, cell_force, volume_ratio], dim=1).cpu().tolist()
        return [self._outcome(k, evaluation, *row) for k, row in enumerate(table)]

    def _outcome(
        self,
        k: int,
        evaluation: EnergyForcesStress,
        energy: float,
        largest_force: float,
        cell_force: float,
        volume_ratio: float,
    ) -> Relaxed | None:
        """Return the result of structure k if it is done, else None; energy in eV/atom, forces in eV/Å and eV."""
        descent = self.descents[k]
        if not np.isfinite([energy, largest_force, cell_force]).all():
            reason = f"{evaluation.failures.get(k, NO_ENERGY)} after {counted(descent.n_steps, 'step')}"
            return failed(descent.given, reason, descent.n_steps, descent.initial, descent.frames)
        descent.initial = energy if descent.initial is None else descent.initial
        if self.goal.trajectory:
            descent.frames.append(self._frame(k, energy, evaluation))
        residual = max(largest_force, cell_force)
        if (blown_up := _explosion(energy, descent, volume_ratio)) is not None:
            return failed(descent.given, blown_up, descent.n_steps, descent.initial, descent.frames)
        if residual < self.goal.fmax:
            return self._reached(k, evaluation, energy, largest_force, None)
        if descent.n_steps >= self.goal.max_steps:
            reason = f"not converged in {counted(descent.n_steps, 'step')}, {residual:.2g} eV/Å left"
            return self._reached(k, evaluation, energy, largest_force, reason)
        return None

    def _structure(self, k: int) -> Structure:
        """Return structure k as it is now."""
        from pymatgen.core.lattice import Lattice
        from pymatgen.core.structure import Structure

        given = self.descents[k].given
        lattice = given.lattice if self.goal.fix_cell else Lattice(self.lattice[k].cpu().numpy(), given.lattice.pbc)
        frac = self.frac[self.start.crystal_index == k].cpu().numpy()
        return Structure(
            lattice, given.species, frac, site_properties=given.site_properties, labels=given.labels,
            properties=given.properties,
        )  # fmt: skip

    def _frame(self, k: int, energy: float, evaluation: EnergyForcesStress) -> Frame:
        """Return the present step of structure k, with the potential's own forces and stress."""
        return Frame(
            structure=self._structure(k),
            energy_per_atom=energy,
            forces=evaluation.forces[self.start.crystal_index == k].double().cpu().numpy(),
            stress=evaluation.stress[k].double().cpu().numpy(),
        )

    def _reached(
        self, k: int, evaluation: EnergyForcesStress, energy: float, fmax: float, reason: str | None
    ) -> Relaxed:
        """Return the result of structure k, which has an energy; reason is None if it has converged."""
        descent, structure = self.descents[k], self._structure(k)
        moments = evaluation.magnetic_moments
        own = self.start.crystal_index == k
        return Relaxed(
            structure=structure,
            energy_per_atom=energy,
            initial_energy_per_atom=descent.initial,
            fmax=fmax,
            n_steps=descent.n_steps,
            converged=reason is None,
            reason=reason,
            rmsd=displacement(descent.given, structure),
            forces=evaluation.forces[own].double().cpu().numpy(),
            stress=evaluation.stress[k].double().cpu().numpy(),
            magnetic_moments=None if moments is None else moments[own].double().cpu().numpy(),
            trajectory=tuple(descent.frames),
        )


def _exponential(strain: Float[Tensor, "crystals 3 3"]) -> Float[Tensor, "crystals 3 3"]:
    """Return the matrix exponential by ten terms of its series, exact to rounding up to a norm of 0.15.

    torch.linalg.matrix_exp is not used: its rounding depends on the other matrices of the batch.
    """
    unit = torch.eye(3).to(strain)
    result = unit
    for k in range(10, 0, -1):
        result = unit + strain @ result / k
    return result.expand_as(strain)


def _joined(parts: Sequence[Crystals]) -> Crystals:
    """Return the crystals as one batch, which may be empty."""
    if parts:
        return collate(parts)
    none = torch.zeros(0, dtype=torch.long)
    places = torch.zeros(0, 3, dtype=torch.float64)
    cells = torch.zeros(0, 3, 3, dtype=torch.float64)
    return Crystals(frac_coords=places, lattice=cells, atomic_numbers=none, crystal_index=none, guest=none.bool())


def _explosion(energy: float, descent: Descent, volume_ratio: float) -> str | None:
    """Return why a structure is given up as unphysical, or None; volume_ratio compares its volume with the start's."""
    low, high = _VOLUME_RANGE
    if not low <= volume_ratio <= high:
        return f"the volume went to {volume_ratio:.2g} times its start in {counted(descent.n_steps, 'step')}"
    if descent.initial is not None and energy < descent.initial - _DEEPEST_FALL:
        return f"the energy fell to {energy:.0f} eV/atom, outside what the potential knows"
    return None
