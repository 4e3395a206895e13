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
