"""Names of structures: distinct, telling, and safe as names of files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from chggen.errors import InputError
from chggen.io.folders import check_name
from chggen.io.names import LONGEST, distinct_names, listed, safe
from chggen.io.structures import as_structure, named_structures

_SALT = Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]).to(fmt="poscar")


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["K2O/POSCAR", "Li2O/POSCAR"], ["K2O-POSCAR", "Li2O-POSCAR"]),
        (["POSCAR.K2O", "POSCAR.Li2O"], ["POSCAR.K2O", "POSCAR.Li2O"]),
        (["a.cif", "a.vasp"], ["a-cif", "a-vasp"]),
        (["a.cif", "a.cif.gz"], ["a-cif", "a-cif-gz"]),
        (["x/a.cif", "x/a.vasp", "y/a.cif"], ["x-a", "a-vasp", "y-a"]),
        (["x/1/POSCAR", "x/2/POSCAR", "y/1/POSCAR"], ["x-1-POSCAR", "2-POSCAR", "y-1-POSCAR"]),
        (["a.mcif", "b.c.extxyz", "v1.2"], ["a", "b.c", "v1.2"]),
        (["a-cif.cif", "a.cif", "a.vasp"], ["a-cif", "a-cif-2", "a-vasp"]),
        (["a.cif", "a-P1.cif"], ["a-cif", "a-P1-cif"]),  # results write a-P1.cif beside a.cif
    ],
)
def test_names_tell_which_file_it_was(files: list[str], names: list[str]) -> None:
    assert distinct_names([Path(file) for file in files]) == names


@given(st.lists(st.text(st.characters(exclude_characters="\0/"), min_size=1, max_size=12), unique=True, max_size=8))
@settings(max_examples=200, deadline=None)
def test_names_are_distinct_and_safe(files: list[str]) -> None:
    names = distinct_names([Path("/some/folder") / file for file in files])
    assert len(set(names)) == len(files)
    for name in names:
        check_name(name)
        assert name == safe(name)


def test_odd_names_are_made_safe(tmp_path: Path) -> None:
    odd = ["a" * 240 + ".vasp", "tab\tline\nend.vasp", os.fsdecode(b"b\xff.vasp"), "..vasp", "a\\b:c.vasp"]
    for name in odd:
        (tmp_path / name).write_text(_SALT)
    found = named_structures([tmp_path / name for name in odd])
    assert list(found)[1:] == ["tab_line_end", "b_ff", "_", "a_b_c"]
    assert len(next(iter(found)).encode()) == LONGEST


def test_a_file_given_twice_is_one_row(tmp_path: Path) -> None:
    (tmp_path / "POSCAR").write_text(_SALT)
    assert list(named_structures([tmp_path / "POSCAR", tmp_path / "." / "POSCAR", tmp_path])) == ["POSCAR"]


def test_missing_files_are_named_before_any_is_read(tmp_path: Path) -> None:
    (tmp_path / "POSCAR").write_text("nonsense")
    with pytest.raises(InputError, match=r"no structure file at .*b.cif, .*c.cif; check the names"):
        named_structures([tmp_path / "POSCAR", tmp_path / "b.cif", tmp_path / "c.cif"])


def test_unreadable_files_among_many_are_named_in_a_short_sentence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for k in range(40):
        (tmp_path / f"{k:02}-{'long' * 20}.vasp").write_text(_SALT if k < 20 else "nonsense")
    expected = r"20 of 40 files cannot be read, so nothing was computed: .* and 18 more; the first: .* is too short"
    with pytest.raises(InputError, match=expected) as caught:
        named_structures([tmp_path])
    assert len(str(caught.value)) <= 300
    assert len(caplog.messages) == 20  # a line for each, and no other
    assert all(f"{20 + k}-long" in line and "is too short" in line for k, line in enumerate(caplog.messages))
    for k in range(21, 40):
        (tmp_path / f"{k:02}-{'long' * 20}.vasp").unlink()
    with pytest.raises(InputError, match=r"long\.vasp is too short for a POSCAR"):
        named_structures([tmp_path])


def test_lists_of_files_are_short() -> None:
    assert listed([Path("a"), Path("b")]) == "a, b"
    assert listed([Path(str(k)) for k in range(2000)]) == "0, 1, 2 and 1,997 more"


def test_a_folder_is_no_structure(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no structure file at"):
        as_structure(tmp_path)


def test_partially_occupied_sites_are_named(tmp_path: Path) -> None:
    mixed = [{"Fe": 0.5, "Co": 0.5}, "O", {"Li": 0.4}]
    Structure(Lattice.cubic(5), mixed, [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0, 0]]).to(str(tmp_path / "m.cif"))
    expected = r"m\.cif has partially occupied sites: \d \(.*Li:0\.4.*\).*; order it first with `chggen order`"
    with pytest.raises(InputError, match=expected) as caught:
        named_structures([tmp_path / "m.cif"])
    assert "Co:0.5" in str(caught.value)
    assert " O" not in str(caught.value)
    many = Structure(Lattice.cubic(5), [{"Li": 0.4}] * 8, [[0, 0, k / 8] for k in range(8)])
    many.to(str(tmp_path / "m.cif"))
    with pytest.raises(InputError, match=r"3 \(Li:0\.4\) and 5 more; order"):
        named_structures([tmp_path / "m.cif"])
