"""The steps of a relaxation as an extxyz file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chggen.io import whole
from chggen.relaxation.result import Frame


def write_trajectory(frames: Sequence[Frame], path: Path) -> None:
    """The frames of a relaxation as one extxyz file with energies (eV), forces (eV/Å) and stresses (eV/Å³)."""
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.io import write
    from pymatgen.io.ase import AseAtomsAdaptor

    found = []
    for frame in frames:
        atoms = AseAtomsAdaptor.get_atoms(frame.structure, msonable=False)
        energy = frame.energy_per_atom * len(atoms)
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=frame.forces, stress=frame.stress)
        found.append(atoms)
    with whole(path) as temporary:
        write(temporary, found, format="extxyz")
