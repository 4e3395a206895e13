"""Writing the steps of a relaxation as an extxyz file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chggen.io import whole
from chggen.relaxation.result import Frame


def write_trajectory(frames: Sequence[Frame], path: Path) -> None:
    """Write the steps of a relaxation as one extxyz file.

    Each step carries its total energy (eV), forces (eV/Å) and stress (eV/Å³), so that ASE reads them with a calculator.
    The file appears whole or not at all.

    Args:
        frames: The steps, such as `Relaxed.trajectory`.
        path: File to write. A file that is there is replaced.
    """
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.io import write
    from pymatgen.io.ase import AseAtomsAdaptor

    images = []
    for frame in frames:
        atoms = AseAtomsAdaptor.get_atoms(frame.structure, msonable=False)
        energy = frame.energy_per_atom * len(atoms)
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=frame.forces, stress=frame.stress)
        images.append(atoms)
    with whole(path) as temporary:
        write(temporary, images, format="extxyz")
