"""What went wrong with a database, in one sentence that tells damage from other causes and names the remedy."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from chggen import __version__
from chggen.errors import InputError, one_line
from chggen.results.record import UnknownFieldsError

_HELD: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_UNWRITABLE: Final = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN)


@contextmanager
def told(path: Path, kinds: tuple[type[Exception], ...] = (Exception,)) -> Iterator[None]:
    """Turn what using a database leads to into an InputError. None of the remedies costs results.

    Args:
        path: The database.
        kinds: The errors to turn. Reading a damaged row fails in any of three libraries, so that all are.

    Raises:
        InputError: What went wrong in the block.
    """
    try:
        yield
    except InputError as error:
        raise error if path.name in str(error) else InputError(f"{path}: {error}") from None
    except kinds as error:
        raise InputError(f"{path} {_sentence(path, error)}") from None


def _sentence(path: Path, error: Exception) -> str:
    """Return what is to be said of a database after its name."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _HELD:
        return "is held by another program; close that or wait for it, then repeat the command; no results are lost"
    if code == sqlite3.SQLITE_FULL:
        return "cannot be written (the disk is full); make room and repeat the command; finished candidates are kept"
    there = os.path.exists(path)  # False, too, where its folder cannot be read
    if not os.access(path if there else path.parent, os.R_OK):
        return "cannot be read (no permission); make it and its folder readable for this user"
    if code in _UNWRITABLE and there and not path.is_dir():
        return "cannot be written (no permission); make it and its folder writable for this user, or copy the folder"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be used ({error.strerror}); repeat the command when that is mended"
    if isinstance(error, OSError):  # ASE's, of a database of another version of ASE, with the remedy
        return f"cannot be read: {error}"
    if isinstance(error, UnknownFieldsError):
        return (
            f"has {error}; it was made by another version of chggen than {__version__}; update chggen, or use that one"
        )
    reason = one_line(f"{type(error).__name__}: {error}", 120)
    return f"is damaged or no database of candidates ({reason}); restore it from a copy, or choose another folder"
