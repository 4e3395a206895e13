"""Making, checking and locking the folders that results are written to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chggen.errors import InputError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder for the length of a block. The folder is made where it does not exist.

    The lock is one of the operating system on the folder's file `.lock`. It ends with the process, however that ends,
    so that a killed run keeps nobody out.

    Args:
        folder: The folder of results.

    Raises:
        InputError: Another run holds the lock, or nothing can be written into the folder.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(writable_folder(folder) / ".lock")
    try:
        lock.acquire(blocking=False)
    except (Timeout, OSError):
        raise InputError(f"{folder} is in use by another run; wait for it or choose another --out") from None
    try:
        yield
    finally:
        lock.release()


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
