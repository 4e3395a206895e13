"""Relaxation of many structures in one batch: finished structures leave it and waiting ones take their place."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from numbers import Real
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor

from chggen.errors import InputError
from chggen.execution import check_device
from chggen.io import ORDER_FIRST_OR_HERE
from chggen.potential import DEFAULT, GPA, Potential, load_potential
from chggen.relaxation.moving_batch import Descent, MovingBatch
from chggen.relaxation.optimizers import OPTIMIZERS
from chggen.relaxation.result import Goal, Relaxed, failed
from chggen.symmetry import SymmetryConstraint

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure

_BATCH_SIZE: Final = {"cpu": 16, "cuda": 512}  # structures, unless the caller gives a number
_ATOMS: Final = 256  # or as many small ones as have so many atoms
AXES: Final = ("x", "y", "z")
"""Normals along which the height of a cell may change alone."""
_LEAST_VOLUME: Final = 1e-3  # Å³; a flatter cell counts as none


# fmt: off
def relax(
    structures: Sequence[Structure], *, potential: str | Potential = DEFAULT, fix_cell: bool = False,
    free_axis: str | None = None,
    fixed_atoms: Sequence[np.ndarray | Sequence[bool] | None] | None = None,
    fix_symmetry: float | Sequence[float | SymmetryConstraint | None] | None = None,
    pressure: float = 0.0, fmax: float = 0.1, max_steps: int = 500, optimizer: str = "fire-lbfgs", device: str = "cpu",
    batch_size: int | None = None, trajectory: bool = False, on_done: Callable[[int, Relaxed], None] | None = None,
) -> list[Relaxed]:
    """Relax structures with an interatomic potential.

    The atoms move and, unless `fix_cell` is set, so does the cell. Structures share a batch to save time only: each
    takes its own steps, so its result does not depend on the other structures. A structure that fails is returned with
    the reason, and the others go on.

    A structure has converged under the conditions of ASE's `FrechetCellFilter`. The force on every free atom is below
    `fmax` (eV/Å). If the cell is free, so is the norm (eV) of every row of −V(stress + pressure)/n_atoms.

    Args:
        structures: Ordered structures.
        potential: A potential, or the name of one: `chgnet`, `chgnet-r2scan`, `ase:module:factory` or
            `torch-sim:module:factory`.
        fix_cell: Whether the lattice stays as it is.
        free_axis: `x`, `y` or `z`: only the height of the cell along the normal of the other two axes may change, while
            these stay as they are. None: all of the lattice may.
        fixed_atoms: For each structure a mask of shape (atoms,), True where an atom keeps its fractional coordinates
            bit for bit, or None to free all its atoms. None frees all atoms of all structures.
        fix_symmetry: Symmetry tolerance symprec in Å, one for all structures or one (or None) for each. The space group
            that spglib finds at this tolerance is kept by averaging forces and stress over it. Deviations from the
            group at the start are not removed, so symmetrise the structure first for a tolerance above 0.01 Å.
            Operations that map a fixed atom onto a free one are dropped. Instead of a tolerance, the constraint itself
            may be given where it is known. None keeps no symmetry.
        pressure: External pressure in GPa.
        fmax: Largest force at which a structure has converged, in eV/Å.
        max_steps: Most steps that a structure may take.
        optimizer: `fire`, `lbfgs`, or `fire-lbfgs`, which changes from FIRE to L-BFGS once forces are small.
        device: `cpu` or `cuda`.
        batch_size: Number of structures that move together. None means 16 on a CPU and 512 on a GPU, or as many small
            ones as have 256 atoms together.
        trajectory: Whether results keep every step.
        on_done: Called with a structure's index and result as soon as it is done, in the order in which they finish.

    Returns:
        One result for each structure, in the order given.

    Raises:
        InputError: The potential, optimizer or device is unknown, a mask or symprec does not fit the structures, or a
            number is out of range.

    Example:
        >>> relaxed = relax([structure], potential="chgnet", fmax=0.05)[0]
        >>> relaxed.converged, relaxed.energy_per_atom
    """
    check_device(device)
    size = _batch_size(structures, device) if batch_size is None else batch_size
    _check_numbers(fmax, pressure, max_steps, size)
    if optimizer not in OPTIMIZERS:
        raise InputError(f"unknown optimizer '{optimizer}'; expected one of {', '.join(OPTIMIZERS)}")
    free_atoms, symprecs = _free_atoms(structures, fixed_atoms), _symprecs(fix_symmetry, len(structures))
    model = load_potential(potential, device) if isinstance(potential, str) else potential
    goal = Goal(fix_cell=fix_cell, axis=_axis(free_axis, fix_cell, fix_symmetry), pressure=pressure * GPA, fmax=fmax,
                max_steps=max_steps, trajectory=trajectory, optimizer=optimizer)
    begin = [partial(_descent, k, s, free_atoms[k], symprecs[k], device) for k, s in enumerate(structures)]
    return _run(structures, begin, MovingBatch(goal, device), model, size, on_done)
# fmt: on


def _run(
    structures: Sequence[Structure],
    begin: Sequence[Callable[[], Descent]],
    moving: MovingBatch,
    model: Potential,
    size: int,
    on_done: Callable[[int, Relaxed], None] | None,
) -> list[Relaxed]:
    """Move structures to their minima, so many at a time: one that is done leaves, and the next one enters."""
    results: dict[int, Relaxed] = {}

    def finish(index: int, relaxed: Relaxed) -> None:
        results[index] = relaxed
        if on_done is not None:
            on_done(index, relaxed)

    waiting = deque(range(len(structures)))
    while waiting or moving.descents:
        entering: list[Descent] = []
        while waiting and len(moving.descents) + len(entering) < size:
            index = waiting.popleft()
            reason = _unusable(structures[index])
            if reason is None:
                entering.append(begin[index]())
            else:
                finish(index, failed(structures[index], reason, 0))
        moving.enter(entering)
        for index, relaxed in moving.advance(model):
            finish(index, relaxed)
    return [results[index] for index in range(len(structures))]


def _batch_size(structures: Sequence[Structure], device: str) -> int:
    """Return how many structures move together unless the caller says so."""
    n_atoms = sum(len(structure) for structure in structures)
    return max(_BATCH_SIZE[torch.device(device).type], _ATOMS * len(structures) // max(n_atoms, 1))


def _check_numbers(fmax: float, pressure: float, max_steps: int, batch_size: int) -> None:
    """Raise InputError unless all are finite numbers in their ranges."""
    numbers = (fmax, pressure, max_steps, batch_size)
    if not all(map(_is_number, numbers)) or fmax <= 0 or max_steps < 0 or batch_size < 1:
        expected = "fmax above 0 eV/Å, a pressure in GPa, max_steps of 0 or more and batch_size of 1 or more"
        raise InputError(f"relaxation expects {expected}; got {', '.join(map(repr, numbers))}; change them")


def _axis(free_axis: str | None, fix_cell: bool, fix_symmetry: object) -> int | None:
    """Return the number of the normal along which alone the cell may change. Raises InputError."""
    if free_axis is None:
        return None
    if free_axis not in AXES:
        raise InputError(f"free_axis must be one of {', '.join(AXES)}, or None for all of the cell; got {free_axis!r}")
    kept = list(fix_symmetry) if isinstance(fix_symmetry, Sequence) else [fix_symmetry]
    if fix_cell or any(one is not None for one in kept):
        raise InputError(
            f"free_axis {free_axis} lets one height of the cell change, which fix_cell forbids and fix_symmetry may; "
            "leave free_axis or these out"
        )
    return AXES.index(free_axis)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and math.isfinite(value)


def _free_atoms(
    structures: Sequence[Structure], fixed_atoms: Sequence[np.ndarray | Sequence[bool] | None] | None
) -> list[Tensor]:
    """Return a mask of the free atoms for each structure. Raises InputError for a mask that does not fit."""
    masks = [None] * len(structures) if fixed_atoms is None else list(fixed_atoms)
    if len(masks) != len(structures):
        raise InputError(f"fixed_atoms must hold one mask or None a structure ({len(structures)}), got {len(masks)}")
    free_atoms = []
    for index, (structure, mask) in enumerate(zip(structures, masks, strict=True)):
        fixed = np.zeros(len(structure), dtype=bool) if mask is None else np.asarray(mask)
        if fixed.shape != (len(structure),) or fixed.dtype != bool:
            got = f"shape {fixed.shape} of {fixed.dtype}"
            raise InputError(f"fixed_atoms[{index}] must be {len(structure)} booleans, one an atom; got {got}")
        free_atoms.append(torch.from_numpy(~fixed))
    return free_atoms


def _symprecs(
    fix_symmetry: float | Sequence[float | SymmetryConstraint | None] | None, n_structures: int
) -> list[float | SymmetryConstraint | None]:
    """Return a symprec (Å), a constraint or None for each structure. Raises InputError for a wrong number or value."""
    symprecs: list[float | SymmetryConstraint | None] = [None if isinstance(fix_symmetry, Sequence) else fix_symmetry]
    symprecs = list(fix_symmetry) if isinstance(fix_symmetry, Sequence) else symprecs * n_structures
    if len(symprecs) != n_structures:
        expected = f"one symprec or None a structure ({n_structures})"
        raise InputError(f"fix_symmetry must be one symprec or hold {expected}, got {len(symprecs)}")
    given = [s for s in symprecs if s is not None and not isinstance(s, SymmetryConstraint)]
    if bad := [s for s in given if not (_is_number(s) and s > 0)]:
        raise InputError(f"fix_symmetry must be a symprec above 0 Å, or None to keep no group; got {bad[0]!r}")
    return symprecs


def _descent(
    index: int, structure: Structure, free: Tensor, kept: float | SymmetryConstraint | None, device: str
) -> Descent:
    """Return the record of a structure that enters the batch, with its symmetry constraint on the device.

    `kept`: symprec (Å) at which the symmetry is found, or the constraint, or None to keep none.
    """
    symmetry = kept if isinstance(kept, SymmetryConstraint) else None
    if isinstance(kept, float | int):
        symmetry = SymmetryConstraint.of(structure, kept, free)
    on_device = None if symmetry is None else symmetry.to(device)
    return Descent(index=index, given=structure, free=free, symmetry=on_device)


def _unusable(structure: Structure) -> str | None:
    """Return why a structure cannot be relaxed at all, or None if it can."""
    if len(structure) == 0:
        return "the structure has no atoms"
    if not structure.is_ordered:
        return f"the structure has partially occupied sites; {ORDER_FIRST_OR_HERE}"
    if not (np.isfinite(structure.frac_coords).all() and np.isfinite(structure.lattice.matrix).all()):
        return "coordinates or lattice are not finite"
    if structure.volume < _LEAST_VOLUME:
        return "the cell has no volume"
    return None
