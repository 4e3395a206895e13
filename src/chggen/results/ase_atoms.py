"""Candidates as ASE's Atoms, with energy, forces, stress and magnetic moments where ASE looks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chggen.crystals import GUEST
from chggen.io import atoms_of_structure
from chggen.results.candidate import Candidate

if TYPE_CHECKING:
    from ase import Atoms


def atoms_of(candidate: Candidate) -> Atoms:
    """Return the latest structure of a candidate as Atoms.

    A calculator holds what the potential says of it at the level of the run: energy (eV), forces (eV/Å), stress
    (eV/Å³) and magnetic moments (μ_B). `magmom`, the moment of the cell, is the sum of theirs, since only their sizes
    are known. Guests are marked in the array `guest`, and atoms that were held are held by a constraint.

    Args:
        candidate: A candidate. One without a structure gives Atoms without any atom.
    """
    from ase import Atoms

    shown = candidate.structure if candidate.structure is not None else candidate.raw
    if shown is None:
        return Atoms()
    atoms = atoms_of_structure(shown)
    if shown is candidate.structure and candidate.energy_per_atom is not None:
        atoms.calc = _calculator(candidate, atoms)
    return atoms


def row_of(candidate: Candidate) -> Atoms:
    """Return the Atoms of a candidate as a row of a database takes them, which has no arrays of other names.

    Args:
        candidate: A candidate.

    Returns:
        What `atoms_of` returns, with the tag 1 on guests and 0 on atoms of the host. Initial magnetic moments that are
        vectors are left out, as no row can give them back.
    """
    atoms = atoms_of(candidate)
    if GUEST in atoms.arrays:
        atoms.set_tags(atoms.arrays[GUEST].astype(int))
    if atoms.arrays.get("initial_magmoms", np.zeros(0)).ndim > 1:
        del atoms.arrays["initial_magmoms"]
    if atoms.calc is not None:
        atoms.calc.check_state = _unchanged  # what ASE would find out for each number anew
    return atoms


def _unchanged(*_: Any, **__: Any) -> list[str]:
    """Say that nothing changed in the Atoms of a calculator since it was made."""
    return []


def _calculator(candidate: Candidate, atoms: Atoms) -> Any:
    """Return a calculator that holds the energy of a candidate and what else is known."""
    from ase.calculators.singlepoint import SinglePointCalculator

    assert candidate.energy_per_atom is not None
    found: dict[str, Any] = {"energy": candidate.energy_per_atom * len(atoms)}
    if candidate.forces is not None and len(candidate.forces) == len(atoms):
        found["forces"] = np.array(candidate.forces)
    if candidate.stress is not None:
        found["stress"] = np.array(candidate.stress)
    moments = candidate.magnetic_moments
    if moments is not None and len(moments) == len(atoms):
        found |= {"magmoms": np.array(moments), "magmom": float(sum(moments))}
    calculator = SinglePointCalculator(atoms, **found)
    calculator.name = "chggen"
    return calculator
