"""Folders that results are written to: made, checked and locked."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TextIO

from chggen.errors import InputError


def locked(folder: Path) -> TextIO:
    """The folder's lock file, which is this run's until it is closed. Raises InputError where another run has it."""
    lock = (writable_folder(folder) / ".lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise InputError(f"{folder} is in use by another run; wait for it or choose another --out") from None
    return lock


def writable_folder(folder: Path) -> Path:
    """The folder, made where it is not there. Raises InputError when nothing can be written into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write results to {folder} ({error.strerror}); choose another --out") from None
    if not os.access(folder, os.W_OK):
        raise InputError(f"cannot write results to {folder} (no permission); choose another --out")
    return folder
