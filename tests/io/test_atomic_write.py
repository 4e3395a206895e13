from __future__ import annotations

import errno
import os
import re
import socket
import subprocess
import sys

import pytest

from chggen.errors import InputError
from chggen.io.atomic_write import _machine, clear_leftovers, whole, write_text


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "new" / "table.npz"
    with whole(path) as temporary:
        assert temporary.suffix == ".npz"
        temporary.write_text("old")
        assert not path.exists()

    def fails():
        with whole(path) as temporary:
            temporary.write_text("half of the n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_two_that_write_one_file_at_once_both_succeed(tmp_path):
    path = tmp_path / "page.html"
    with whole(path) as first, whole(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"  # the last one to end
    assert list(tmp_path.iterdir()) == [path]


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    with whole(tmp_path / "a.csv") as own:
        own.write_text("being written")
        left = own.with_name(re.sub(r"-\d+-(\d+\.part)", rf"-{dead.pid}-\1", own.name))
        left.write_text("half")
        elsewhere = own.with_name(re.sub(r"chggen-[0-9a-f]+", "chggen-abcdef", own.name))
        elsewhere.write_text("of another machine, being written")
        assert len({own, left, elsewhere}) == 3
        clear_leftovers(tmp_path)
        assert own.exists()
        assert not left.exists()
        assert elsewhere.exists()
        os.utime(elsewhere, (0, 0))
        clear_leftovers(tmp_path)
        assert not elsewhere.exists()
    clear_leftovers(tmp_path / "nothing there")


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path):
    (tmp_path / "report.html").mkdir()
    with pytest.raises(InputError, match=r"report\.html is a folder .*; move it away"):
        write_text(tmp_path / "report.html", "page")


def test_text_that_is_no_utf8_is_written(tmp_path):
    write_text(tmp_path / "log", "ü \udcff")
    assert (tmp_path / "log").read_text(encoding="utf-8") == "ü \\udcff"


def test_an_error_of_the_system_names_the_file_that_was_asked_for(tmp_path):
    def full():
        with whole(tmp_path / "page.html") as temporary:
            raise OSError(errno.ENOSPC, "No space left on device", str(temporary))

    with pytest.raises(OSError, match=r"page\.html"):
        full()


def test_machines_whose_names_begin_alike_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """One would take the other's file in progress for one that a dead process left."""
    names = set()
    for host in ("compute-node-01", "compute-node-02"):
        monkeypatch.setattr(socket, "gethostname", lambda host=host: host)
        names.add(_machine())
    assert len(names) == 2
