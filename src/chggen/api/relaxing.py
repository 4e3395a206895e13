"""Relaxation of structures: `relax`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from chggen.api.arguments import Files, Optimizer, with_arguments
from chggen.errors import InputError
from chggen.execution import Machine
from chggen.io import ORDER_FIRST, as_structure, held_atoms
from chggen.potential import DEFAULT, PotentialLike, as_potential, dispersed_name, name_of_potential
from chggen.regions import holding
from chggen.relaxation import Relaxed, RelaxOptions
from chggen.relaxation import relax as relax_structures
from chggen.workflows import ordered_structures

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure


# fmt: off
@with_arguments(RelaxOptions)
def relax(
    structures: Sequence[Structure | Atoms | Files], *, potential: PotentialLike = DEFAULT,
    dispersion: Literal["d3"] | None = None, fix_cell: bool = False,
    free_axis: Literal["x", "y", "z"] | None = None, hold: Sequence[str] | str = (),
    fix_symmetry: float | None = None, fixed_atoms: Sequence[Sequence[bool] | None] | None = None, fmax: float = 0.1,
    pressure: float = 0.0, max_steps: int = 500, optimizer: Optimizer = "fire-lbfgs", device: str = "cpu",
    trajectory: bool = False, order: bool = False,
) -> list[Relaxed]:
    """Relax structures with a potential, all in one batch.

    Args:
        structures: pymatgen Structures, ASE Atoms or files.
        potential: Name of a potential, an ASE calculator, or a Potential object.
        hold: Atoms that are held in each structure, beside those that it marks itself: symbols, numbers from 0 or a
            region, such as `z 0 6`.
        fixed_atoms: For each structure which of its atoms are held at their fractional coordinates, or None. By
            default those that it marks itself: selective dynamics, move masks, constraints of ASE.
        device: `cpu` or `cuda`.
        trajectory: Whether every step is kept.
        order: Whether the lowest ordered structure takes the place of each partially occupied one.

    Returns:
        What became of each structure, in the order given. One that did not converge says why.

    Raises:
        InputError: For input that cannot be used, in one sentence.

    Example:
        >>> chggen.relax(structures, potential="chgnet", fix_cell=True, fmax=0.1)  # doctest: +SKIP
    """
    single = isinstance(structures, (str, os.PathLike)) or hasattr(structures, "lattice") or hasattr(structures, "cell")
    if single or not isinstance(structures, Iterable):
        got = type(structures).__name__ if single else repr(structures)
        raise InputError(f"expected a list of structures or files to relax, got {got}; put it in brackets")
    model = potential if isinstance(potential, str) else as_potential(potential)
    if dispersion is not None:
        model = dispersed_name(name_of_potential(model))
    given = [as_structure(s, heed_held=fixed_atoms is None) for s in structures]
    if order and not all(s.is_ordered for s in given):
        given = _ordered(given, locals())
    if hold:
        _check_no_masks(fixed_atoms)
        given = [holding(hold, s) for s in given]
    held = [held_atoms(s) for s in given] if fixed_atoms is None else fixed_atoms
    return relax_structures(
        given, potential=model, fix_cell=fix_cell, free_axis=free_axis, fix_symmetry=fix_symmetry,
        fixed_atoms=held, fmax=fmax, pressure=pressure, max_steps=max_steps, optimizer=optimizer,
        device=device, trajectory=trajectory,
    )
# fmt: on


def _check_no_masks(fixed_atoms: object) -> None:
    if fixed_atoms is not None:
        raise InputError("hold and fixed_atoms both say which atoms are held; give one of the two")


def _ordered(structures: Sequence[Structure], given: Mapping[str, Any]) -> list[Structure]:
    """Return structures to relax, the partially occupied ones ordered. Raise InputError where that cannot be."""
    if given["fixed_atoms"] is not None or not isinstance(given["potential"], str):
        what = "fixed_atoms are" if given["fixed_atoms"] is not None else "a potential that is an object is"
        raise InputError(f"{what} of no use to order structures with partially occupied sites; {ORDER_FIRST}")
    named = {f"structure {k}": structure for k, structure in enumerate(structures)}
    return list(ordered_structures(named, given, Machine(device=given["device"])).values())
