"""Making, checking and locking the folders that results are written to."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TextIO

from chggen.errors import InputError


def locked(folder: Path) -> TextIO:
    """Lock a folder for this run. The folder is made where it does not exist.

    Args:
        folder: The folder of results.

    Returns:
        The open lock file `.lock` of the folder. The lock lasts until this file is closed or the process ends.

    Raises:
        InputError: Another run holds the lock, or nothing can be written into the folder.
    """
    lock = (writable_folder(folder) / ".lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise InputError(f"{folder} is in use by another run; wait for it or choose another --out") from None
    return lock


def writable_folder(folder: Path) -> Path:
    """Make a folder where it does not exist, and check that files can be written into it.

    Args:
        folder: The folder. Missing parents are made too.

    Returns:
        The same path.

    Raises:
        InputError: The folder cannot be made, or this user may not write into it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write results to {folder} ({error.strerror}); choose another --out") from None
    if not os.access(folder, os.W_OK):
        raise InputError(f"cannot write results to {folder} (no permission); choose another --out")
    return folder
