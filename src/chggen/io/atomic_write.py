"""Writing files so that they appear whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from chggen.errors import InputError

_NUMBERS: Final = itertools.count()
_TEMPORARY: Final = re.compile(r"\.chggen-([0-9a-f]+)-(\d+)-\d+\.part")
_HELD_AT_MOST: Final = 24 * 3600.0  # s; what a process of another machine began longer ago is left over


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to, and move that file to `path` when the block ends.

    If the block raises, or the process is killed, the file that was at `path` before stays as it was. The folder is
    made where it does not exist. Several processes may write the same file at once: the last one to end wins.

    Args:
        path: Where the finished file goes.

    Yields:
        A hidden path in the same folder with the same suffix, which no other process has. The block writes the file
        there.

    Raises:
        InputError: There is a folder at `path`.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder where a file is to be written; move it away")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".chggen-{_machine()}-{os.getpid()}-{next(_NUMBERS)}.part{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename == str(temporary):
            error.filename = str(path)  # which the user knows
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file that appears whole or not at all.

    Args:
        path: The file to write. Its folder is made where it does not exist.
        text: The content of the file, which is written as UTF-8.
    """
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")  # names of files may be no UTF-8


def clear_leftovers(folder: Path) -> None:
    """Remove the temporary files that killed processes left in a folder, and in no folder below it.

    Args:
        folder: A folder that `whole` wrote to. It need not exist.
    """
    try:
        with os.scandir(folder) as entries:
            left = [e for e in entries if (found := _TEMPORARY.match(e.name)) and not _writing(e, *found.groups())]
        for entry in left:
            Path(entry.path).unlink(missing_ok=True)
    except OSError:  # they harm nobody
        return


def _writing(entry: os.DirEntry[str], machine: str, process: str) -> bool:
    """Return whether a temporary file may still be written by the process that made it."""
    if machine != _machine():
        return time.time() - entry.stat().st_mtime < _HELD_AT_MOST
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        return True
    return True


def _machine() -> str:
    """Return what tells this machine from others that write to the same folder."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:16]
