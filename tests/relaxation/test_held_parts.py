"""Parts that stay: one height of the cell alone is free, and atoms chosen in words are held."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from typer.testing import CliRunner

import chggen
from chggen.cli.app import app

EMT = "ase:ase.calculators.emt:EMT"


def _crystal(seed: int = 0) -> Structure:
    """Copper, too long along the third axis, in a skewed cell."""
    cell = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.58), ["Cu"], [[0, 0, 0]])
    cell.make_supercell([[1, 0, 0], [0, 1, 0], [1, 0, 2]])
    stretched = Structure(cell.lattice.matrix @ np.diag([1.0, 1.0, 1.06]), cell.species, cell.frac_coords)
    stretched.perturb(0.05)
    return stretched


def test_one_height_alone_relaxes() -> None:
    given = _crystal()
    (free,) = chggen.relax([given], potential=EMT, free_axis="z", fmax=0.01)
    assert free.converged
    before, after = given.lattice.matrix, free.structure.lattice.matrix
    np.testing.assert_allclose(after[:2], before[:2], atol=1e-9)  # in the plane nothing changes
    np.testing.assert_allclose(after[2, :2], before[2, :2], atol=1e-9)  # nor across the normal
    assert after[2, 2] < before[2, 2] - 0.1
    stress = free.stress
    assert stress is not None
    assert abs(stress[2, 2]) * free.structure.volume / len(given) < 0.01
    (fixed,) = chggen.relax([given], potential=EMT, fix_cell=True, fmax=0.01)
    (every,) = chggen.relax([given], potential=EMT, fmax=0.01)
    assert fixed.energy_per_atom is not None
    assert every.energy_per_atom is not None
    assert free.energy_per_atom is not None
    assert every.energy_per_atom < free.energy_per_atom < fixed.energy_per_atom


def test_atoms_chosen_in_words_are_held() -> None:
    given = _crystal()
    (end,) = chggen.relax([given], potential=EMT, hold=["0", "z 1 3"], fix_cell=True, fmax=0.05)
    heights = given.frac_coords[:, 2] % 1.0 * given.lattice.d_hkl((0, 0, 1))
    held = (np.arange(len(given)) == 0) | ((heights >= 1) & (heights <= 3))
    moved = np.abs(end.structure.frac_coords - given.frac_coords).max(1) > 0
    assert 1 < held.sum() < len(given)
    assert (moved == ~held).all()


def test_the_command_holds_atoms_and_frees_one_height(tmp_path: Path) -> None:
    _crystal().to(str(tmp_path / "POSCAR"))
    asked = ["relax", str(tmp_path / "POSCAR"), "--potential", EMT, "--workers", "1", "--fmax", "0.05"]
    made = CliRunner().invoke(app, [*asked, "--hold", "0", "--free-axis", "z", "-o", str(tmp_path / "out")])
    assert made.exit_code == 0, made.output
    other = CliRunner().invoke(app, [*asked, "--hold", "1", "--free-axis", "z", "-o", str(tmp_path / "out")])
    assert isinstance(other.exception, chggen.InputError)
    assert "--hold 0, now 1" in str(other.exception)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"free_axis": "z", "fix_cell": True}, "fix_cell forbids"),
        ({"free_axis": "z", "fix_symmetry": 0.01}, "fix_symmetry may"),
        ({"hold": "z 50 60"}, "lies outside the cell"),
        ({"hold": "0", "fixed_atoms": [None]}, "give one of the two"),
    ],
)
def test_what_contradicts_itself_is_refused(asked: dict[str, object], said: str) -> None:
    with pytest.raises(chggen.InputError, match=said):
        chggen.relax([_crystal()], potential=EMT, **asked)  # type: ignore[arg-type]
