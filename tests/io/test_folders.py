"""Folders of results: one run at a time, and a killed run keeps nobody out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chggen.errors import InputError
from chggen.io import locked
from chggen.io.folders import LONGEST_NAME, inside

_HOLDS = """
import sys, time
from pathlib import Path
from chggen.io import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(600)
"""


def test_a_folder_is_locked_until_its_run_ends_or_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _HOLDS, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        with (
            pytest.raises(InputError, match="is in use by another run; wait for it or choose another --out"),
            locked(tmp_path),
        ):
            pass
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
    with locked(tmp_path):
        pass


def test_a_lock_ends_with_its_block_and_is_made_with_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    with pytest.raises(RuntimeError), locked(folder):
        raise RuntimeError
    with locked(folder), pytest.raises(InputError, match="in use by another run"), locked(folder):
        pass
    with locked(folder):
        pass


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../a",
        "a/b",
        "/etc/x",
        "a\\b",
        "a\0b",
        "a\nb",
        "\udcff",
        "a" * (LONGEST_NAME + 1),
        "é" * LONGEST_NAME,
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"^the id .*; rename it$"):
        inside(tmp_path, name, ".cif")


@pytest.mark.parametrize("name", ["NaCl-z4-0000", "a b", "..a", "ü日本", "=1+1", "a" * LONGEST_NAME])
def test_any_other_name_is_a_file_of_the_folder(tmp_path: Path, name: str) -> None:
    path = inside(tmp_path, name, "-P1.cif")
    path.write_text("kept")
    assert [p.name for p in tmp_path.iterdir()] == [f"{name}-P1.cif"]


def test_a_lock_that_cannot_be_taken_is_not_said_to_be_held(tmp_path: Path) -> None:
    (tmp_path / ".lock").mkdir()
    with pytest.raises(InputError, match=r"cannot lock .*\(\.lock: .*\)"), locked(tmp_path):
        pass
