"""Space groups are found whatever becomes of stderr, and failed tolerances are not reported there."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pymatgen.core import Lattice, Structure

from chggen.symmetry import operations, space_group

_SCRIPT = """
import os, sys
{before}
from pymatgen.core import Lattice, Structure
from chggen.symmetry.detection import space_group
from chggen.symmetry import conventional, refine, symbol_of
salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
print(space_group(salt), refine(salt).space_group, conventional(salt, 0.1).symbol, symbol_of(14))
for seed in range(5):
    blurred = salt.copy()
    blurred.perturb(0.4, seed=seed)
    for symprec in (0.5, 1.0, 1.5, 2.0, 3.0):
        space_group(blurred, symprec)
"""


def _run(before: str, warnings: str = "ignore") -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-W", warnings, "-c", _SCRIPT.format(before=before)]
    return subprocess.run(line, capture_output=True, text=True, check=True)


_FOUND = ["225", "225", "Fm-3m", "P2_1/c"]
_WARNED = "always::DeprecationWarning"  # spglib warns on every call


@pytest.mark.parametrize(
    ("before", "warnings"), [("os.close(2)", "ignore"), ("os.close(2)", _WARNED), ("sys.stderr.close()", _WARNED)]
)
def test_a_space_group_does_not_depend_on_stderr(before: str, warnings: str) -> None:
    assert _run(before, warnings).stdout.split() == _FOUND


def test_errors_that_are_not_those_of_spglib_are_not_taken_for_no_symmetry(monkeypatch: pytest.MonkeyPatch) -> None:
    import spglib

    def interrupted(*_: object, **__: object) -> None:
        raise OSError("no file descriptor is left")

    monkeypatch.setattr(spglib, "get_symmetry_dataset", interrupted)
    monkeypatch.setattr(spglib, "get_symmetry", interrupted)
    salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    for look in (space_group, operations):
        with pytest.raises(OSError, match="no file descriptor"):
            look(salt)


def test_overlapping_atoms_have_no_space_group() -> None:
    atoms = Structure(Lattice.cubic(3), ["Na", "Na"], [[0, 0, 0], [0, 0, 1e-6]])
    assert space_group(atoms) is None
    assert len(operations(atoms)[0]) == 1


def test_tolerances_that_fail_are_not_reported() -> None:
    quiet = _run("")
    assert quiet.stderr == ""
    assert quiet.stdout.split() == _FOUND
    assert "spglib" in _run('os.environ["SPGLIB_WARNING"] = "ON"').stderr  # the same calls, told to report
