"""Export: what other programs read, and nothing outside of the folder."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase.db import connect
from pymatgen.core import Lattice, Structure
from pymatgen.io.vasp import Incar

from chggen.errors import InputError
from chggen.results import Candidate, export_survivors
from chggen.results.database import FILE, CandidateDatabase
from chggen.results.summary import summary_text

_FORCES = ((0.1, 0.0, -0.2), (0.0, 0.3, 0.0))


def _candidate(name: str, **changes: Any) -> Candidate:
    structure = Structure(
        Lattice.cubic(3), ["Ni", "O"], [[0, 0, 0], [0.5] * 3], site_properties={"guest": [True, False]}
    )
    made = Candidate(
        id=name, stage="inpaint", formula="NiO", seed=1, structure=structure, raw=structure, level="pbe",
        energies={"pbe": -5.0}, decomposition_energies={"pbe": 0.01}, n_found=1, forces=_FORCES,
        stress=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6), magnetic_moments=(1.26, 0.04), space_group=221, space_group_loose=221,
    )  # fmt: skip
    return replace(made, **changes)


def test_extxyz_holds_what_ase_looks_for(tmp_path: Path) -> None:
    CandidateDatabase(tmp_path).put([_candidate("a"), _candidate("b", status="failed", reason="x")])
    assert export_survivors(tmp_path, "extxyz", None, None)[0] == 1
    (atoms,) = ase.io.read(tmp_path / "export" / "extxyz" / "candidates.extxyz", index=":")
    assert atoms.get_potential_energy() == -10.0
    assert np.allclose(atoms.get_forces(), _FORCES)
    assert np.allclose(atoms.get_stress(), [0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert np.allclose(atoms.get_magnetic_moments(), [1.26, 0.04])
    assert atoms.arrays["guest"].tolist() == [True, False]
    assert (atoms.info["id"], atoms.info["e_decomposition"], atoms.info["answer"]) == ("a", 0.01, True)


def test_vasp_inputs_begin_with_the_moments(tmp_path: Path) -> None:
    CandidateDatabase(tmp_path).put([_candidate("a")])
    export_survivors(tmp_path, "vasp", None, None)
    incar = Incar.from_file(tmp_path / "export" / "vasp" / "a" / "2-r2scan" / "INCAR")
    assert [float(one) for one in incar["MAGMOM"]] == [1.3, 0.0]


@pytest.mark.parametrize("to", ["cif", "vasp", "extxyz"])
@pytest.mark.parametrize("status", ["ok", "failed"])
def test_nothing_is_written_or_deleted_outside(tmp_path: Path, to: str, status: str) -> None:
    folder = tmp_path / "deep" / "run"
    folder.mkdir(parents=True)
    CandidateDatabase(folder).put([_candidate("a"), _candidate("b", status=status)])
    for victim in ("precious.json", "precious.cif"):
        (tmp_path / "deep" / victim).write_text("kept")
    before = sorted(p for p in (tmp_path / "deep").iterdir())
    database = connect(folder / FILE)
    record = json.loads(database.get(2).data["record"]) | {"id": "../../../precious"}
    database.update(2, data={"record": json.dumps(record)})
    with pytest.raises(InputError, match=r"candidates\.db: the id '\.\./\.\./\.\./precious' has a separator"):
        export_survivors(folder, to, None, None)
    assert sorted(p for p in (tmp_path / "deep").iterdir()) == before
    assert (tmp_path / "deep" / "precious.cif").read_text() == "kept"


def test_files_of_what_is_no_longer_chosen_are_deleted(tmp_path: Path) -> None:
    database = CandidateDatabase(tmp_path)
    database.put([_candidate("a"), _candidate("a-P1")])
    _, target = export_survivors(tmp_path, "cif", None, None)
    assert len(list(target.iterdir())) == 4
    database.put([_candidate("a", status="failed")])
    export_survivors(tmp_path, "cif", None, None)
    assert sorted(p.name for p in target.iterdir()) == ["a-P1_-P1.cif", "a-P1_.cif"]


def test_a_database_of_another_program_is_no_traceback(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("CREATE TABLE systems (id)")
    connection.close()
    with pytest.raises(InputError, match="damaged or no database"):
        export_survivors(tmp_path, "cif", None, None)


def test_no_folder_is_left_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "atomate2.vasp.flows.core", None)
    CandidateDatabase(tmp_path).put([_candidate("a")])
    with pytest.raises(InputError, match="flows need atomate2"):
        export_survivors(tmp_path, "atomate2", None, None)
    lawrencium = Structure(Lattice.cubic(3), ["Lr"], [[0, 0, 0]])
    CandidateDatabase(tmp_path).put([_candidate("b", structure=lawrencium)])
    with pytest.raises(InputError, match="pseudopotential is assigned to Lr"):
        export_survivors(tmp_path, "vasp", None, None)
    assert not (tmp_path / "export").exists()


def test_a_limit_is_no_remedy_where_nothing_was_placed(tmp_path: Path) -> None:
    CandidateDatabase(tmp_path).put([_candidate("a", stage="relax", decomposition_energies={})])
    with pytest.raises(InputError, match=r"no candidate has an E_d; leave --max-e-d out .*chggen hull"):
        export_survivors(tmp_path, "cif", 0.1, None)
    CandidateDatabase(tmp_path).put([_candidate("b")])
    with pytest.raises(InputError, match="raise --max-e-d"):
        export_survivors(tmp_path, "cif", 0.001, None)


def test_relaxed_structures_are_no_answers(tmp_path: Path) -> None:
    CandidateDatabase(tmp_path).put([_candidate("a", stage="relax", n_found=None)])
    export_survivors(tmp_path, "extxyz", None, None)
    atoms = ase.io.read(tmp_path / "export" / "extxyz" / "candidates.extxyz")
    assert "answer" not in atoms.info
    rows = list(csv.DictReader(io.StringIO(summary_text([_candidate("a", stage="relax", n_found=None)]))))
    assert rows[0]["answer"] == ""
    rows = list(csv.DictReader(io.StringIO(summary_text([_candidate("a"), _candidate("b", n_found=None)]))))
    assert [row["answer"] for row in rows] == ["True", "False"]
