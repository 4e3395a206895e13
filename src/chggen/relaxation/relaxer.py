"""Batched relaxation with an interatomic potential: structures leave the batch when done, new ones enter."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor

from chggen.errors import InputError
from chggen.execution import check_device
from chggen.potential import GPA, Potential, load_potential
from chggen.relaxation.moving_batch import Descent, MovingBatch
from chggen.relaxation.optimizers import OPTIMIZERS
from chggen.relaxation.result import Goal, Relaxed, failed
from chggen.relaxation.symmetry_constraint import SymmetryConstraint

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure

_AT_ONCE: Final = {"cpu": 16, "cuda": 512}  # structures in a batch, unless given


def relax(
    structures: Sequence[Structure],
    *,
    potential: str | Potential = "chgnet",
    fix_cell: bool = False,
    fixed_atoms: Sequence[np.ndarray | Sequence[bool] | None] | None = None,
    fix_symmetry: float | Sequence[float | None] | None = None,
    pressure: float = 0.0,
    fmax: float = 0.1,
    max_steps: int = 500,
    optimizer: str = "fire-lbfgs",
    device: str = "cpu",
    batch_size: int | None = None,
    trajectory: bool = False,
    on_done: Callable[[int, Relaxed], None] | None = None,
) -> list[Relaxed]:
    """Relax atoms and, unless fix_cell, the cell; results in the order given.

    Converged: the forces (eV/Å) on all free atoms and, for a free cell, the rows of −V(stress + pressure)/n_atoms
    (eV) are below fmax, as for ASE's FrechetCellFilter. fixed_atoms: for each structure None or a mask, True: the
    atom keeps its fractional coordinates bit for bit. fix_symmetry: symprec (Å), one for all or one each, at which a
    structure's group is found; every step then keeps it, forces and stress being averaged over it. What the structure
    departs from that group by stays, so symmetrise first for a tolerance above 0.01 Å. Fixed atoms leave of a group
    what takes none of them to a free one. pressure in GPa.
    optimizer: `fire`, `lbfgs`, or `fire-lbfgs`, the first until forces are small, then the second. batch_size:
    structures moved together (None: 16 on a CPU, 512 on a GPU). on_done(index, relaxed) is called as each structure
    is done, in the order they finish. A structure that fails is returned marked, the others unaffected.

    Raises InputError for an unknown potential or device, masks that do not fit, or options out of range.
    """
    check_device(device)
    size = _AT_ONCE[torch.device(device).type] if batch_size is None else batch_size
    numbers = (fmax, pressure, max_steps, size)
    if not all(map(_is_number, numbers)) or fmax <= 0 or max_steps < 0 or size < 1:
        expected = "fmax above 0 eV/Å, a pressure in GPa, max_steps of 0 or more and batch_size of 1 or more"
        raise InputError(f"relaxation expects {expected}; got {', '.join(map(repr, numbers))}; change them")
    if optimizer not in OPTIMIZERS:
        raise InputError(f"unknown optimizer '{optimizer}'; expected one of {', '.join(OPTIMIZERS)}")
    masks = _masks(structures, fixed_atoms)
    symprecs = list(fix_symmetry) if isinstance(fix_symmetry, Sequence) else [fix_symmetry] * len(structures)
    if len(symprecs) != len(structures):
        expected = f"one symprec or None a structure ({len(structures)})"
        raise InputError(f"fix_symmetry must be one symprec or hold {expected}, got {len(symprecs)}")
    if bad := [s for s in symprecs if s is not None and not (_is_number(s) and s > 0)]:
        raise InputError(f"fix_symmetry must be a symprec above 0 Å, or None to keep no group; got {bad[0]!r}")
    model = load_potential(potential, device) if isinstance(potential, str) else potential
    goal = Goal(
        fix_cell=fix_cell,
        pressure=pressure * GPA,
        fmax=fmax,
        max_steps=max_steps,
        trajectory=trajectory,
        optimizer=optimizer,
    )
    results: dict[int, Relaxed] = {}

    def finish(index: int, relaxed: Relaxed) -> None:
        results[index] = relaxed
        if on_done is not None:
            on_done(index, relaxed)

    waiting = deque(range(len(structures)))
    moving = MovingBatch(goal, device)
    while waiting or moving.descents:
        entering: list[Descent] = []
        while waiting and len(moving.descents) + len(entering) < size:
            index = waiting.popleft()
            reason = _unusable(structures[index])
            if reason is None:
                descent = Descent(index=index, given=structures[index], free=masks[index])
                if (symprec := symprecs[index]) is not None:
                    symmetrizer = SymmetryConstraint.of(structures[index], symprec, masks[index])
                    descent.symmetrizer = None if symmetrizer is None else symmetrizer.to(device)
                entering.append(descent)
            else:
                finish(index, failed(structures[index], reason, 0))
        moving.enter(entering)
        for index, relaxed in moving.advance(model):
            finish(index, relaxed)
    return [results[k] for k in range(len(structures))]


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and math.isfinite(value)


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
