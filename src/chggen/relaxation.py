"""Batched relaxation of crystals with an interatomic potential.

One potential call moves a whole batch; everything else (step length, curvature, convergence) belongs to a structure
alone, so that its result does not depend on its batch mates. Structures leave the batch when done, new ones enter.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from chggen.config import InputError
from chggen.crystals import Crystals, batch, from_structures
from chggen.lattice import volume, wrap
from chggen.lbfgs import Lbfgs, rms_displacement
from chggen.potential import GPA, EnergyForcesStress, Potential, load_potential

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure

_VOLUME_RANGE: Final = (0.25, 4.0)  # of the start
_DEEPEST_FALL: Final = 50.0  # eV/atom; no relaxation gains as much, a hole in the potential does
_NO_ENERGY: Final = "the potential gives no finite energy, forces or stress (atoms isolated or overlapping?)"


@dataclass(frozen=True, kw_only=True)
class Relaxed:
    """What became of a structure.

    Energies in eV/atom, without the pressure term; fmax: largest force on a free atom, eV/Å; rmsd: root mean square
    over atoms of the displacement from the given structure by the minimum image, mean shift removed, in the mean
    lattice, Å. Sites keep their order and properties, coordinates are not wrapped. When converged is False, reason
    says why: either the structure is the last one reached (out of steps), or, with no energy, the given one.
    """

    structure: Structure
    energy_per_atom: float | None
    initial_energy_per_atom: float | None
    fmax: float | None
    n_steps: int
    converged: bool
    reason: str | None
    rmsd: float | None


@dataclass(frozen=True, kw_only=True)
class _Goal:
    """What all structures of a call share: pressure in eV/Å³, fmax in eV/Å."""

    fix_cell: bool
    pressure: float
    fmax: float
    max_steps: int


def relax(
    structures: Sequence[Structure],
    *,
    potential: str | Potential = "chgnet",
    fix_cell: bool = False,
    fixed_atoms: Sequence[np.ndarray | Sequence[bool] | None] | None = None,
    pressure: float = 0.0,
    fmax: float = 0.1,
    max_steps: int = 500,
    device: str = "cpu",
    batch_size: int = 16,
    on_done: Callable[[int, Relaxed], None] | None = None,
) -> list[Relaxed]:
    """Relax atoms and, unless fix_cell, the cell; results in the order given.

    Converged: the forces (eV/Å) on all free atoms and, for a free cell, the rows of −V(stress + pressure)/n_atoms
    (eV) are below fmax, as for ASE's FrechetCellFilter. fixed_atoms: for each structure None or a mask, True: the
    atom keeps its fractional coordinates bit for bit. pressure in GPa. on_done(index, relaxed) is called as each
    structure is done, in the order they finish. A structure that fails is returned marked, the others unaffected.

    Raises InputError for an unknown potential, masks that do not fit, or options out of range.
    """
    if fmax <= 0 or max_steps < 0 or batch_size < 1:
        expected = "fmax above 0 eV/Å, max_steps of 0 or more and batch_size of 1 or more"
        raise InputError(f"relaxation expects {expected}; got {fmax}, {max_steps} and {batch_size}; change them")
    masks = _masks(structures, fixed_atoms)
    model = load_potential(potential, device) if isinstance(potential, str) else potential
    goal = _Goal(fix_cell=fix_cell, pressure=pressure * GPA, fmax=fmax, max_steps=max_steps)
    results: dict[int, Relaxed] = {}

    def finish(index: int, relaxed: Relaxed) -> None:
        results[index] = relaxed
        if on_done is not None:
            on_done(index, relaxed)

    waiting = deque(range(len(structures)))
    active: list[tuple[int, _Descent]] = []
    while waiting or active:
        while waiting and len(active) < batch_size:
            index = waiting.popleft()
            reason = _unusable(structures[index])
            if reason is None:
                active.append((index, _Descent(structures[index], masks[index], goal)))
            else:
                finish(index, _failed(structures[index], reason, 0))
        going = []
        for (index, descent), seen in zip(active, _evaluate(model, [d for _, d in active], device), strict=True):
            outcome = descent.take(seen)
            if outcome is None:
                going.append((index, descent))
            else:
                finish(index, outcome)
        active = going
    return [results[k] for k in range(len(structures))]


def _masks(
    structures: Sequence[Structure], fixed_atoms: Sequence[np.ndarray | Sequence[bool] | None] | None
) -> list[Tensor]:
    """Which atoms of each structure are free, checked against its size."""
    given = [None] * len(structures) if fixed_atoms is None else list(fixed_atoms)
    if len(given) != len(structures):
        raise InputError(f"fixed_atoms must hold one mask or None a structure ({len(structures)}), got {len(given)}")
    free = []
    for k, (structure, mask) in enumerate(zip(structures, given, strict=True)):
        fixed = np.zeros(len(structure), dtype=bool) if mask is None else np.asarray(mask)
        if fixed.shape != (len(structure),) or fixed.dtype != bool:
            got = f"shape {fixed.shape} of {fixed.dtype}"
            raise InputError(f"fixed_atoms[{k}] must be {len(structure)} booleans, one an atom; got {got}")
        free.append(torch.from_numpy(~fixed))
    return free


def _unusable(structure: Structure) -> str | None:
    """Why a structure cannot be relaxed at all."""
    if len(structure) == 0:
        return "the structure has no atoms"
    if not structure.is_ordered:
        return "the structure has partially occupied sites; order it first"
    if not (np.isfinite(structure.frac_coords).all() and np.isfinite(structure.lattice.matrix).all()):
        return "coordinates or lattice are not finite"
    if structure.volume < 1e-3:
        return "the cell has no volume"
    return None


def _failed(given: Structure, reason: str, n_steps: int, initial: float | None = None) -> Relaxed:
    return Relaxed(
        structure=given,
        energy_per_atom=None,
        initial_energy_per_atom=initial,
        fmax=None,
        n_steps=n_steps,
        converged=False,
        reason=reason,
        rmsd=None,
    )


def _evaluate(model: Potential, descents: Sequence[_Descent], device: str) -> list[EnergyForcesStress]:
    """One potential call for all; what each structure sees of it, float64 on the CPU."""
    if not descents:
        return []
    seen = model(batch([d.crystals for d in descents]).to(device))
    counts = [len(d.frac) for d in descents]
    columns = zip(
        seen.energy.double().cpu().split(1),
        seen.forces.double().cpu().split(counts),
        seen.stress.double().cpu().split(1),
        strict=True,
    )
    return [EnergyForcesStress(energy=e, forces=f, stress=s) for e, f, s in columns]


class _Descent:
    """One structure on its way down: unwrapped fractional coordinates, lattice (Å), float64 on the CPU."""

    def __init__(self, given: Structure, free: Tensor, goal: _Goal) -> None:
        self.given, self.free, self.goal = given, free, goal
        self.start = from_structures([given])
        self.origin = self.frac = torch.tensor(given.frac_coords, dtype=torch.float64)
        self.lattice = self.start.lattice[0]
        self.initial: float | None = None
        self.n_steps = 0
        self.optimizer = Lbfgs(len(given))

    @property
    def crystals(self) -> Crystals:
        return replace(self.start, frac_coords=wrap(self.frac), lattice=self.lattice[None])

    def take(self, seen: EnergyForcesStress) -> Relaxed | None:
        """The outcome if this is the end, else a step along the forces and None."""
        n = len(self.frac)
        energy = float(seen.energy) / n
        forces = torch.where(self.free[:, None], seen.forces, 0.0)
        virial = self._virial(seen.stress[0])
        if not (np.isfinite(energy) and forces.isfinite().all() and virial.isfinite().all()):
            return _failed(self.given, f"{_NO_ENERGY} after {self.n_steps} steps", self.n_steps, self.initial)
        self.initial = energy if self.initial is None else self.initial
        if (reason := self._explosion(energy)) is not None:
            return _failed(self.given, reason, self.n_steps, self.initial)
        fmax = float(forces.norm(dim=-1).max())
        residual = max(fmax, float((virial / n).norm(dim=-1).max()))
        if residual < self.goal.fmax:
            return self._reached(energy, fmax, None)
        if self.n_steps >= self.goal.max_steps:
            return self._reached(energy, fmax, f"not converged in {self.n_steps} steps, {residual:.2g} eV/Å left")
        self._move(*self.optimizer.step(forces, virial))
        return None

    def _virial(self, stress: Float[Tensor, "3 3"]) -> Float[Tensor, "3 3"]:
        """−V(stress + pressure), eV: the force on the log-strain; symmetric, so the cell does not turn."""
        if self.goal.fix_cell:
            return torch.zeros_like(stress)
        whole = (stress + stress.T) / 2 + self.goal.pressure * torch.eye(3, dtype=stress.dtype)
        return -volume(self.lattice) * whole

    def _explosion(self, energy: float) -> str | None:
        low, high = _VOLUME_RANGE
        ratio = float(volume(self.lattice) / volume(self.start.lattice[0]))
        if not low <= ratio <= high:
            return f"the volume went to {ratio:.2g} times its start in {self.n_steps} steps"
        if self.initial is not None and energy < self.initial - _DEEPEST_FALL:
            return f"the energy fell to {energy:.0f} eV/atom, outside what the potential knows"
        return None

    def _move(self, step: Float[Tensor, "atoms 3"], strain: Float[Tensor, "3 3"]) -> None:
        """Move the atoms by a Cartesian step (Å), then strain cell and atoms together."""
        moved = self.frac + torch.linalg.solve(self.lattice.T, step.T).T
        self.frac = torch.where(self.free[:, None], moved, self.frac)
        if not self.goal.fix_cell:
            self.lattice = self.lattice @ torch.linalg.matrix_exp(strain)
        self.n_steps += 1

    def _reached(self, energy: float, fmax: float, reason: str | None) -> Relaxed:
        from pymatgen.core.lattice import Lattice
        from pymatgen.core.structure import Structure

        lattice = self.given.lattice if self.goal.fix_cell else Lattice(self.lattice.numpy(), self.given.lattice.pbc)
        properties = self.given.site_properties
        return Relaxed(
            structure=Structure(lattice, self.given.species, self.frac.numpy(), site_properties=properties),
            energy_per_atom=energy,
            initial_energy_per_atom=self.initial,
            fmax=fmax,
            n_steps=self.n_steps,
            converged=reason is None,
            reason=reason,
            rmsd=rms_displacement(self.frac - self.origin, (self.lattice + self.start.lattice[0]) / 2),
        )
