"""A database that many runs share: on a real PostgreSQL with `make test-postgres`, else on ASE's file."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pymatgen.core import Lattice, Structure
from typer.testing import CliRunner

import chggen
from chggen.cli.app import app
from chggen.results import Candidate, SharedDatabase, check_address, is_address, read_shared, shared_database
from chggen.results import shown_address as shown
from chggen.workflows import collect

_EMT = "ase:ase.calculators.emt:EMT"
_RUN: dict[str, Any] = {"levels": 4, "fmax": 0.5, "potential": _EMT, "workers": 1, "progress": None}


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Address of an empty database."""
    if given := os.environ.get("CHGGEN_POSTGRES"):
        import psycopg2

        with psycopg2.connect(given) as connection, connection.cursor() as cursor:
            cursor.execute("drop owned by current_user; grant all on schema public to current_user")
        return given
    from ase.db import connect

    monkeypatch.setattr(shared_database, "_connected", lambda address: connect(tmp_path / "shared.db"))
    return "postgresql://me:secret@host/shared"


def _candidate(name: str, formula: str = "LiF", energy: float = -1.0) -> Candidate:
    structure = Structure(Lattice.cubic(4.0), ["Li", "F"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    return Candidate(
        id=name, stage="generate", formula=formula, seed=1, structure=structure, raw=structure, level="pbe",
        energies={"pbe": energy},
    )  # fmt: skip


def test_what_runs_put_is_read_by_system(address: str) -> None:
    one, two = SharedDatabase(address, "one-1"), SharedDatabase(address, "225")
    one.put([_candidate("a"), _candidate("12", "Li"), _candidate("b", "LiCl")])
    two.put([_candidate("a", energy=-2.0)])
    found = read_shared(address, "F-Li")
    assert {run: [c.id for c in own] for run, own in found.items()} == {"id 225": ["a"], "one-1": ["12", "a"]}
    assert found["id 225"][0] == _candidate("a", energy=-2.0)
    assert set(read_shared(address, "Cl-Li-F")) == {"id 225", "one-1"}
    with pytest.raises(chggen.InputError, match=r"no candidates of Na in .*; name another system"):
        read_shared(address, "Na")


def test_runs_on_different_hulls_are_not_compared(address: str) -> None:
    SharedDatabase(address, "one", "1e5").put([_candidate("a")])
    SharedDatabase(address, "two", "1e5").put([_candidate("a", energy=-2.0)])
    SharedDatabase(address, "older").put([_candidate("b")])
    assert set(read_shared(address, "Li-F")) == {"one", "two", "older"}
    SharedDatabase(address, "three", "abc").put([_candidate("a")])
    with pytest.raises(chggen.InputError, match=r"(one|two) and three were placed on different known phases"):
        read_shared(address, "Li-F")


def test_what_is_put_again_replaces_its_row(address: str) -> None:
    SharedDatabase(address, "run").put([_candidate("a"), _candidate("b")])
    later = SharedDatabase(address, "run")
    later.put([replace(_candidate("a"), duplicate_of="b")])
    (own,) = read_shared(address, "Li-F").values()
    assert [(c.id, c.duplicate_of) for c in own] == [("a", "b"), ("b", None)]


def test_candidates_wait_for_a_server_that_does_not_answer(
    address: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    database = SharedDatabase(address, "run")

    def fails(*arguments: Any, **values: Any) -> int:
        raise OSError("the line is down")

    monkeypatch.setattr(database._database, "write", fails)
    with caplog.at_level(logging.WARNING):
        database.put([_candidate("a")])
    assert "1 candidates are not in the shared database yet: the database at postgresql://" in caplog.text
    assert database.missing == 1
    database.put([_candidate("b")])
    assert database.missing == 0
    (own,) = read_shared(address, "Li-F").values()
    assert [c.id for c in own] == ["a", "b"]


def test_runs_share_a_database_and_a_page(address: str, tmp_path: Path) -> None:
    for name, formula in (("cu", "Cu"), ("cu-au", "CuAu")):
        chggen.generate(formula, n=2, **_RUN, out=tmp_path / name, database=address)
    chggen.generate("Cu", n=3, **_RUN, out=tmp_path / "cu", database=address)  # goes on, and is the same run
    found = collect(address, "Cu-Au", tmp_path / "all")
    assert len(found) == 5
    assert {c.formula for c in found} == {"Cu", "CuAu"}
    asked = ["report", "--database", address, "--system", "Cu", "-o", str(tmp_path / "copper")]
    ended = CliRunner().invoke(app, asked)
    assert ended.exit_code == 0, ended.output
    assert (tmp_path / "copper" / "report.html").exists()
    assert len(chggen.open(tmp_path / "copper")) == 3
    for line in (tmp_path / "all" / "config.toml", tmp_path / "copper" / "config.toml"):
        assert "secret" not in line.read_text()


def test_a_run_that_was_made_without_is_put_in_when_it_goes_on(address: str, tmp_path: Path) -> None:
    chggen.generate("Cu", n=2, **_RUN, out=tmp_path / "run")
    chggen.generate("Cu", n=2, **_RUN, out=tmp_path / "run", database=address)
    (own,) = read_shared(address, "Cu").values()
    assert len(own) == 2


def test_addresses_are_told_from_folders_and_shown_without_passwords() -> None:
    assert is_address("postgresql://a@b/c")
    assert is_address("postgresql:/a@b/c")  # what a path makes of it
    assert not is_address("runs/x")
    assert not is_address("C:\\runs")
    assert shown("postgresql://me:secret@host:1/x") == "postgresql://me@host:1/x"
    assert shown("postgresql:/me:secret@host/x") == "postgresql:/me@host/x"
    assert shown("--database=postgresql://me:p/a@ss@host/x") == "--database=postgresql://me@host/x"
    assert shown("sphere 0.5 0.5 0.5 4") == "sphere 0.5 0.5 0.5 4"
    check_address("postgresql://me@host/x")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"database": "runs.db", "out": "run"}, "database: expected postgresql://USER:PASSWORD@HOST/NAME"),
        ({"database": "postgresql://me:secret@host/x"}, "database goes with a results folder"),
        ({"out": "postgresql://me:secret@host/x"}, "out: expected a folder, got the address 'postgresql://me@host/x'"),
    ],
)
def test_what_does_not_go_together_is_refused(
    given: dict[str, Any], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(chggen.InputError) as refused:
        chggen.generate("Cu", n=1, **_RUN, **given)
    assert str(refused.value).startswith(told)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["--system", "Li"], "--database and --system go together"),
        ([], "expected a results folder, or --database with --system"),
        (["run", "--database", "postgresql://a@b/c", "--system", "Li"], "expected a results folder, or --database"),
    ],
)
def test_a_report_is_of_a_folder_or_of_a_database(asked: list[str], told: str) -> None:
    ended = CliRunner().invoke(app, ["report", *asked])
    assert told in str(ended.exception)


def test_a_server_that_does_not_answer_is_one_sentence() -> None:
    with pytest.raises(chggen.InputError) as refused:
        SharedDatabase("postgresql://me:secret@127.0.0.1:1/x", "run")
    told = str(refused.value)
    assert told.startswith("the database at postgresql://me@127.0.0.1:1/x cannot be used (")
    assert "secret" not in told
    assert len(told) <= 300
