"""Making, checking and locking the folders that results are written to."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from chggen.errors import InputError

log = logging.getLogger(__name__)
LONGEST_NAME: Final = 200
"""Bytes of the longest name of a candidate: file systems take 255, of which endings need some."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder for the length of a block. The folder is made where it does not exist.

    The lock is one of the operating system on the folder's file `.lock`. It ends with the process, however that ends,
    so that a killed run keeps nobody out. On a file system without such locks, a warning says that nothing is locked.

    Args:
        folder: The folder of results.

    Raises:
        InputError: Another run holds the lock, or nothing can be written into the folder.
    """
    from filelock import FileLock, Timeout

    path = writable_folder(folder) / ".lock"
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise InputError(f"{folder} is in use by another run; wait for it or choose another --out") from None
    except NotImplementedError:
        log.warning("the file system of %s has no locks; let only one run at a time write there", folder)
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            remedy = "make it writable for this user, or choose another --out"
            raise InputError(f"cannot lock {folder} ({path.name}: {error.strerror}); {remedy}") from None
        log.warning("the file system of %s has no locks; let only one run at a time write there", folder)
    try:
        yield
    finally:
        lock.release()


def is_locked(folder: Path) -> bool:
    """Return whether a run holds the lock of a folder. Where the file system has no locks, none does.

    Args:
        folder: The folder of results.
    """
    from filelock import FileLock, Timeout

    if not (folder / ".lock").exists():
        return False
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    except (NotImplementedError, OSError):
        return False
    lock.release()
    return False


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
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        told = getattr(error, "strerror", None) or error
        raise InputError(f"cannot write results to {folder} ({told}); choose another --out") from None
    if not os.access(folder, os.W_OK):
        raise InputError(f"cannot write results to {folder} (no permission); choose another --out")
    return folder


def inside(folder: Path, name: str, ending: str = "") -> Path:
    """Return the path of a file or folder of a given name inside a folder, where the name cannot lead outside.

    Every path that is made of a name that may come from elsewhere, such as the id of a candidate, is made here.

    Args:
        folder: The folder.
        name: The name, without its ending.
        ending: What is added to the name, such as `.cif`.

    Returns:
        The path, which lies directly in the folder.

    Raises:
        InputError: The name is no name of a file.
    """
    check_name(name)
    return folder / f"{name}{ending}"


def check_name(name: object) -> None:
    """Refuse what cannot be the name of a candidate, which files are named after.

    Args:
        name: The name.

    Raises:
        InputError: The name is empty, too long, no UTF-8, a path, or has separators or control characters.
    """
    reason = None
    if not isinstance(name, str) or name in ("", ".", ".."):
        reason = "is no name"
    elif "/" in name or "\\" in name:
        reason = "has a separator of folders"
    elif any(ord(c) < 32 or ord(c) == 127 for c in name):
        reason = "has a control character"
    else:
        try:
            size = len(name.encode())
        except UnicodeEncodeError:
            reason = "is not UTF-8"
        else:
            reason = f"has {size} bytes" if size > LONGEST_NAME else None
    if reason:
        remedy = f"files are named after it; expected plain characters, at most {LONGEST_NAME} bytes; rename it"
        raise InputError(f"the id {str(name)[:60]!r} {reason}; {remedy}")
