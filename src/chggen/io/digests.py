"""Short digests that stand for the content of files and structures."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from chggen.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Structure


def digest(path: Path) -> str:
    """What stands for the content of a file. Raises InputError for one that cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except (OSError, ValueError):
        raise InputError(f"no file to read at {str(path)[:200]}; check the path") from None


def fingerprint(structure: Structure) -> str:
    """What stands for a given structure in the options of a run."""
    return hashlib.sha256(repr((structure.lattice.matrix.tolist(), str(structure))).encode()).hexdigest()[:16]
