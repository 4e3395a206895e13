"""Short digests that identify the content of files and structures."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from chggen.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Structure


def digest(path: Path) -> str:
    """Return a short digest of the content of a file.

    Runs store it beside their results, so that a second call notices a file that has changed.

    Args:
        path: The file.

    Returns:
        The first 16 hexadecimal digits of the SHA-256 of its bytes.

    Raises:
        InputError: The file cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except (OSError, ValueError):
        raise InputError(f"no file to read at {str(path)[:200]}; check the path") from None


def digest_of_folder(path: Path) -> str:
    """Return a short digest of the content of a file, or of all files directly in a folder with their names.

    Args:
        path: The file or folder.

    Returns:
        The first 16 hexadecimal digits of a SHA-256.

    Raises:
        InputError: A file cannot be read.
    """
    if not path.is_dir():
        return digest(path)
    files = sorted(file for file in path.iterdir() if file.is_file())
    return hashlib.sha256("".join(f"{file.name} {digest(file)}\n" for file in files).encode()).hexdigest()[:16]


def fingerprint(structure: Structure) -> str:
    """Return a short digest of a structure, which stands for it in the stored options of a run.

    Args:
        structure: Any pymatgen structure.

    Returns:
        The first 16 hexadecimal digits of a SHA-256 over the lattice vectors and pymatgen's printed form, which gives
        species and fractional coordinates to six decimals.
    """
    return hashlib.sha256(repr((structure.lattice.matrix.tolist(), str(structure))).encode()).hexdigest()[:16]
