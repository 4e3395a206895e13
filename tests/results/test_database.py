"""The database: read once, written batch by batch, whole after a kill, and refused in a sentence when damaged."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sqlite3
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import ase.db.sqlite
import numpy as np
import pytest
from ase.db import connect
from pymatgen.core import Lattice, Structure

from chggen.errors import InputError
from chggen.results.candidate import Candidate
from chggen.results.database import FILE, CandidateDatabase, read_candidates
from chggen.results.record import from_record, to_record


def _salt() -> Structure:
    corners = [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    return Structure(Lattice.cubic(5.64), ["Na"] * 4 + ["Cl"] * 4, corners + [[x + 0.5, y, z] for x, y, z in corners])


def _candidate(name: str = "a", structure: Structure | None = None) -> Candidate:
    shown = _salt() if structure is None else structure
    return Candidate(
        id=name, stage="generate", formula="NaCl", seed=2**62, structure=shown, raw=shown, level="pbe",
        energies={"pbe": -1 / 3},
    )  # fmt: skip


def _odd_structures() -> Iterator[Structure]:
    yield _salt().perturb(0.1)
    charged = _salt()
    charged.add_oxidation_state_by_element({"Na": 1, "Cl": -1})
    yield charged
    moments = _salt()
    moments.add_site_property("magmom", [0.1] * 8)
    yield moments
    labels = _salt()
    labels[0].label = "Na_first"
    yield labels
    carried = _salt()
    carried.add_site_property("oxidation_state", [1.0] * 4 + [None] * 4)
    carried.add_site_property("selective_dynamics", [[True, False, True]] * 8)
    carried.add_site_property("magmom", [[0.0, 0.1, 1.0]] * 8)
    carried.properties["comment"] = "π"
    yield carried
    odd = _salt()
    odd.add_site_property("array", list(np.arange(8.0)))
    odd.add_site_property("weight", [math.inf] * 8)
    yield odd
    yield Structure(_salt().lattice, ["Na"], [[-0.3, 1.7, math.pi]], charge=1, properties={"from": "a test"})
    yield Structure(Lattice.cubic(3, pbc=(True, True, False)), ["Na"], [[0, 0, 0]])


@pytest.mark.filterwarnings("ignore:Structure charge")  # pymatgen: one of them has a charge that no site has
@pytest.mark.parametrize("structure", list(_odd_structures()))
def test_structures_come_back_equal_to_the_last_bit(tmp_path: Path, structure: Structure) -> None:
    put = _candidate("a", structure)
    CandidateDatabase(tmp_path).put([put])
    (found,) = read_candidates(tmp_path)
    assert found == put
    assert found.structure is not None
    assert found.structure.as_dict() == structure.as_dict()
    assert np.array_equal(found.structure.frac_coords, structure.frac_coords)


def test_every_field_comes_back() -> None:
    known: dict[str, Any] = {
        "decomposition_energies": {"pbe": 0.1, "r2scan": -0.2},
        "reason": '"π"\n',
        "converged": False,
    }
    for put in (replace(_candidate(), **known), Candidate(id="b", stage="relax", formula="K", seed=0, status="failed")):
        assert from_record(to_record(put)) == put


def test_structures_as_versions_before_wrote_them_are_read() -> None:
    record = json.loads(to_record(_candidate()))
    old = json.dumps(record | {"structure": _salt().as_dict(), "raw": _salt().as_dict()})
    assert from_record(old) == _candidate()


def test_the_file_is_read_when_it_is_opened_and_never_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    CandidateDatabase(tmp_path).put([_candidate(f"c{k}") for k in range(3)])
    database = CandidateDatabase(tmp_path)

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("the file is read")

    with monkeypatch.context() as patched:
        patched.setattr(ase.db.sqlite.SQLite3Database, "_select", refused)
        database.put([replace(_candidate("c1"), seed=7), _candidate("c0"), replace(_candidate("c0"), seed=8)])
        database.put([_candidate("b")])
        found = database.candidates()
    assert list(found) == ["b", "c0", "c1", "c2"]
    assert [c.seed for c in found.values()] == [2**62, 8, 7, 2**62]
    assert read_candidates(tmp_path) == list(found.values())
    assert connect(tmp_path / FILE).count() == 4
    assert connect(tmp_path / FILE).get(candidate="c0").formula == "Na4Cl4"


@pytest.mark.parametrize("name", ["1", "True", "1e5", "nan"])
def test_names_that_would_share_a_label_are_two_candidates(tmp_path: Path, name: str) -> None:
    database = CandidateDatabase(tmp_path)
    for one in (name, f"id {name}", f"id id {name}"):
        database.put([_candidate(one)])
        database.put([replace(_candidate(one), seed=7)])
    assert sorted(c.id for c in read_candidates(tmp_path)) == sorted([name, f"id {name}", f"id id {name}"])
    labels = [row.candidate for row in connect(tmp_path / FILE).select()]
    assert len(set(labels)) == 3


def test_a_run_killed_while_it_makes_the_file_can_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def up_to(count: int) -> Iterator[str]:
        yield from statements[:count]
        raise Killed

    def by_the_living(path: Path, missing_ok: bool = False) -> None:
        if sys.exc_info()[0] is not Killed:  # a process that is killed tidies nothing up
            unlink(path, missing_ok=missing_ok)

    unlink = Path.unlink
    for name in ("init_statements", "index_statements"):
        statements = list(getattr(ase.db.sqlite, name))
        for count in range(len(statements)):
            with monkeypatch.context() as patched:
                patched.setattr(ase.db.sqlite, name, up_to(count))
                patched.setattr(Path, "unlink", by_the_living)
                with pytest.raises(Killed):
                    CandidateDatabase(tmp_path)
            assert not (tmp_path / FILE).exists()
    CandidateDatabase(tmp_path).put([_candidate()])
    assert len(read_candidates(tmp_path)) == 1


def test_a_file_that_an_earlier_version_did_not_finish_is_made_anew(tmp_path: Path) -> None:
    for count in range(1, 7):
        with sqlite3.connect(tmp_path / FILE) as connection:
            for statement in ase.db.sqlite.init_statements[:count]:
                connection.execute(statement)
        connection.close()
        CandidateDatabase(tmp_path).put([_candidate()])
        assert len(read_candidates(tmp_path)) == 1
        (tmp_path / FILE).unlink()


def test_the_database_of_another_program_is_refused_and_left(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    before = (tmp_path / FILE).read_bytes()
    for read in (CandidateDatabase, read_candidates):
        with pytest.raises(InputError, match=r"candidates\.db is damaged or no database of candidates"):
            read(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


@pytest.mark.parametrize("record", ["{", "[]", '{"id": "a"}', "{}", "5", "null", "[" * 100_000])
def test_a_damaged_row_is_refused_in_a_sentence(tmp_path: Path, record: str) -> None:
    CandidateDatabase(tmp_path).put([_candidate()])
    database = connect(tmp_path / FILE, use_lock_file=False)
    database.update(1, data={"record": record})
    for read in (CandidateDatabase, read_candidates):
        with pytest.raises(InputError, match=r"candidates\.db is damaged or no database of candidates .*; restore it"):
            read(tmp_path)


def test_a_file_cut_short_is_refused_in_a_sentence(tmp_path: Path) -> None:
    CandidateDatabase(tmp_path).put([_candidate(f"c{k}") for k in range(40)])
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for read in (CandidateDatabase, read_candidates):
        with pytest.raises(InputError, match=r"candidates\.db is damaged or no database of candidates"):
            read(tmp_path)


def _changed(folder: Path, **fields: Any) -> None:
    """Change fields of the record of the one candidate in a folder, as a stranger or another version would."""
    database = connect(folder / FILE, use_lock_file=False)
    record = json.loads(database.get(1).data["record"]) | fields
    database.update(1, data={"record": json.dumps(record)})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", 5), ("id", None), ("status", "maybe"), ("energies", {"pbe": "x"}), ("energies", [1]), ("formula", None),
        ("space_group", 2.5), ("converged", "yes"), ("relax_rmsd", math.nan), ("forces", [["a"]]), ("stress", 5),
        ("structure", "x"), ("structure", {}), ("raw", [1]),
        ("structure", {"lattice": [1], "species": [], "frac_coords": []}),
    ],
)  # fmt: skip
def test_a_field_that_cannot_be_is_refused_by_name(tmp_path: Path, field: str, value: Any) -> None:
    CandidateDatabase(tmp_path).put([_candidate()])
    _changed(tmp_path, **{field: value})
    for read in (CandidateDatabase, read_candidates):
        with pytest.raises(InputError, match=r"candidates\.db is damaged or no database") as refused:
            read(tmp_path)
        assert field in str(refused.value) or field in ("structure", "raw")


@pytest.mark.parametrize("name", ["../../x", "/tmp/x", "a/b", "a\\b", "..", "", "a\0b", "a" * 300])
def test_an_id_that_is_a_path_is_refused_when_it_is_read(tmp_path: Path, name: str) -> None:
    CandidateDatabase(tmp_path).put([_candidate()])
    _changed(tmp_path, id=name)
    for read in (CandidateDatabase, read_candidates):
        with pytest.raises(InputError, match=r"candidates\.db: the id .*; rename it"):
            read(tmp_path)


def test_fields_and_formats_of_a_newer_version_are_refused_by_name(tmp_path: Path) -> None:
    CandidateDatabase(tmp_path).put([_candidate()])
    _changed(tmp_path, hue=1)
    for read in (CandidateDatabase, read_candidates):
        with pytest.raises(InputError, match=r"has fields that are not known here: hue; .*update chggen"):
            read(tmp_path)
    database = connect(tmp_path / FILE)
    database.metadata = {**database.metadata, "chggen_format": 99}
    for read in (CandidateDatabase, read_candidates):
        with pytest.raises(InputError, match=r"has format 99 .*update chggen"):
            read(tmp_path)


def test_a_module_that_a_record_names_is_not_imported(tmp_path: Path) -> None:
    charged = _salt().add_oxidation_state_by_element({"Na": 1, "Cl": -1})
    CandidateDatabase(tmp_path).put([_candidate("a", charged)])
    table = charged.as_dict()
    table["sites"][0]["properties"] = {"x": {"@module": "this", "@class": "X"}}
    _changed(tmp_path, structure=table)
    sys.modules.pop("this", None)
    read_candidates(tmp_path)
    assert "this" not in sys.modules


def test_ase_finds_energy_forces_stress_moments_and_guests(tmp_path: Path) -> None:
    marked = _salt()
    marked.add_site_property("guest", [False] * 7 + [True])
    forces = tuple((0.1 * k, 0.0, -0.3) for k in range(8))
    put = replace(
        _candidate("a", marked), forces=forces, stress=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6), magnetic_moments=(0.5,) * 8,
        energies={"pbe": -3.0, "r2scan": -9.0}, decomposition_energies={"pbe": 0.01, "r2scan": -0.02}, known_as="mp-1",
        n_found=3, space_group=225,
    )  # fmt: skip
    CandidateDatabase(tmp_path).put([put])
    assert read_candidates(tmp_path) == [put]
    row = connect(tmp_path / FILE).get(candidate="a")
    assert (row.energy, row.fmax, row.magmom) == (-24.0, pytest.approx(math.hypot(0.7, 0.3)), 4.0)
    assert (row.e_decomposition, row.e_decomposition_r2scan, row.energy_per_atom_r2scan) == (0.01, -0.02, -9.0)
    assert (row.known_as, row.n_found, row.stage, row.status, row.space_group) == ("mp-1", 3, "generate", "ok", 225)
    atoms = row.toatoms()
    assert np.array_equal(atoms.get_forces(), forces)
    assert np.array_equal(atoms.get_stress(), put.stress or ())
    assert np.array_equal(atoms.get_magnetic_moments(), [0.5] * 8)
    assert atoms.get_tags().tolist() == [0] * 7 + [1]


def test_numbers_that_are_none_are_left_out_and_do_not_make_the_file_unreadable(tmp_path: Path) -> None:
    CandidateDatabase(tmp_path).put([replace(_candidate(), relax_rmsd=math.nan, energies={"pbe": math.inf})])
    (found,) = read_candidates(tmp_path)
    assert found.relax_rmsd is None
    assert found.energies == {}


def test_a_file_that_is_held_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    database = CandidateDatabase(tmp_path)
    database.put([_candidate("a")])
    with contextlib.closing(sqlite3.connect(tmp_path / FILE, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM systems").fetchall()  # a reader's lock, which no writer gets past
        end = threading.Timer(1.5, other.rollback)
        end.start()
        database.put([_candidate("b")])
        end.join()
    assert [c.id for c in read_candidates(tmp_path)] == ["a", "b"]
    assert "is held by another program; waiting for it" in caplog.text


def test_a_file_that_stays_held_is_not_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = CandidateDatabase(tmp_path)
    database.put([_candidate("a")])
    monkeypatch.setattr("chggen.results.database._PATIENCE", {"read": 0.0, "write": 0.0})
    with contextlib.closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for use in (lambda: database.put([_candidate("b")]), lambda: read_candidates(tmp_path)):
            with pytest.raises(InputError, match=r"candidates\.db is held by another program; .*no results are lost"):
                use()
        other.rollback()
    database.put([_candidate("b")])  # nothing was left half done
    assert [c.id for c in read_candidates(tmp_path)] == ["a", "b"]


def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    CandidateDatabase(tmp_path).put([_candidate("a")])

    def refused(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(ase.db.sqlite.SQLite3Database, "__enter__", refused)
    monkeypatch.setattr(os, "access", lambda *_: False)  # the superuser of a test may read anything
    with pytest.raises(InputError, match=r"candidates\.db cannot be read \(no permission\)"):
        read_candidates(tmp_path)


def test_a_file_that_is_removed_under_a_run_is_said_so(tmp_path: Path) -> None:
    database = CandidateDatabase(tmp_path)
    (tmp_path / FILE).unlink()
    with pytest.raises(InputError, match="was removed while a run went on; repeat the command"):
        database.put([_candidate("a")])
    assert not (tmp_path / FILE).exists()


def test_a_database_without_candidates_is_said_so(tmp_path: Path) -> None:
    CandidateDatabase(tmp_path)
    with pytest.raises(InputError, match="holds no candidates yet"):
        read_candidates(tmp_path)
