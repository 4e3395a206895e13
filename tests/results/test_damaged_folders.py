"""Damaged results folders: whatever becomes of a file, readers and runs go on or refuse in one sentence."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import chggen
from chggen.errors import InputError
from chggen.report import page, write_report
from chggen.results import Candidate, export_survivors

pytestmark = pytest.mark.reliability  # faults put in by hand: processes start, die and are ended

_FILES = ("config.toml", "candidates.db", "log.txt", "summary.csv", "report.html", ".lock", "runs.jsonl")
_QUICK: dict[str, Any] = {
    "cells_from": ["bravais"], "n": 2, "formula_units": [1], "levels": 4, "quality": "fast", "relax": False, "seed": 1,
    "workers": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run with its page."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    _run(folder)
    write_report(folder)
    return folder


def _run(folder: Path) -> list[Candidate]:
    return chggen.generate("Cu3Au", **_QUICK, out=folder)


def _damaged(data: bytes, kind: str, rng: random.Random) -> bytes:
    if kind == "flipped":
        changed = bytearray(data or b"x")
        for _ in range(rng.choice([1, 5, 50])):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        return bytes(changed)
    return {
        "empty": b"",
        "half": data[: len(data) // 2],
        "head": data[:100],
        "garbage": rng.randbytes(3000),
        "zeros": bytes(len(data)),
        "text": b"hello " * 300,
        "nested": b"a = " + b"[" * 20_000,
        "not UTF-8": b"\xff\xfe\x00" * 100,
    }[kind]


_KINDS = ("empty", "half", "head", "garbage", "zeros", "text", "nested", "not UTF-8", *["flipped"] * 4)


def _each_way(folder: Path, again: Callable[[], Path]) -> list[str]:
    """Report, export and continue; return what was refused. Anything but a refusal is an error."""
    refused = []
    ways: tuple[Callable[[Path], Any], ...] = (
        write_report,
        lambda run: export_survivors(run, "cif", None, None),
        lambda run: export_survivors(run, "extxyz", None, None),
        _run,
    )
    for way in ways:
        try:
            way(again())
        except InputError as error:
            refused.append(str(error))
    assert all(len(told) <= 290 and "\n" not in told and "delete" not in told for told in refused), refused
    return refused


@pytest.fixture(autouse=True)
def _no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "plots_of", lambda *_: [])


@pytest.mark.parametrize("name", ["config.toml", "candidates.db", "runs.jsonl"])
def test_whatever_becomes_of_a_file_is_no_traceback(finished: Path, tmp_path: Path, name: str) -> None:
    rng = random.Random(name)
    data = (finished / name).read_bytes()
    refusals = 0
    for k, kind in enumerate(_KINDS):
        damaged = _damaged(data, kind, rng)

        def again(k: int = k, damaged: bytes = damaged) -> Path:
            folder = tmp_path / str(k)
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(finished, folder)
            (folder / name).write_bytes(damaged)
            return folder

        refusals += len(_each_way(tmp_path, again))
    assert (refusals > 0) == (name in ("config.toml", "candidates.db"))


@pytest.mark.parametrize("name", _FILES)
@pytest.mark.parametrize("what", ["folder", "pipe", "nothing", "link to nothing", "link to itself"])
def test_whatever_stands_in_the_place_of_a_file_is_no_traceback(
    finished: Path, tmp_path: Path, name: str, what: str
) -> None:
    def again() -> Path:
        folder = tmp_path / "run"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(finished, folder)
        path = folder / name
        path.unlink()
        if what == "folder":
            path.mkdir()
        elif what == "pipe":
            os.mkfifo(path)
        elif what != "nothing":
            path.symlink_to(path if what == "link to itself" else tmp_path / "nothing" / "there")
        return folder

    _each_way(tmp_path, again)


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE information", "UPDATE information SET value = '99' WHERE name = 'version'",
        "UPDATE information SET value = 'x' WHERE name = 'version'", "DROP TABLE systems",
        "UPDATE information SET value = '4' WHERE name = 'version'", "ALTER TABLE systems DROP COLUMN data",
        "UPDATE information SET value = '{' WHERE name = 'metadata'", "UPDATE systems SET data = NULL",
        "UPDATE information SET value = '[]' WHERE name = 'metadata'", "UPDATE systems SET data = ''",
        "UPDATE systems SET data = x'00112233445566778899'", "UPDATE systems SET data = '{}'", "DELETE FROM systems",
    ],
)  # fmt: skip
def test_a_database_that_lacks_something_is_refused_or_filled_anew(
    finished: Path, tmp_path: Path, statement: str
) -> None:
    def again() -> Path:
        folder = tmp_path / "run"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(finished, folder)
        with sqlite3.connect(folder / "candidates.db") as connection:
            connection.execute(statement)
        connection.close()
        return folder

    refused = _each_way(tmp_path, again)
    assert len(refused) == (3 if statement.startswith("DELETE") else 4)
