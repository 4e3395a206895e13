"""Names of structures, made from those of their files: distinct, telling which file it was, safe as file names."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Final

from chggen.io.text_files import COMPRESSED

LONGEST: Final = 150
"""Most bytes of a name, so that files named after it, with what is added, fit any file system."""
_ENDINGS: Final = (
    ".cif", ".mcif", ".vasp", ".poscar", ".contcar", ".xyz", ".extxyz", ".json", ".res", ".xsf", ".cssr", ".txt", ".pt",
)  # fmt: skip
_SHOWN: Final = 40  # characters of a path in a list of several
_TWIN: Final = "-P1"  # results write a second CIF under this ending


def distinct_names(files: Sequence[PurePath]) -> list[str]:
    """Return a name for each file.

    A name is that of the file without the ending of its format. Files that would so have one name get their ending, or
    as many of the folders above them as it takes.

    Args:
        files: Paths of distinct files.

    Returns:
        One name for each, all different, also from each other's twin NAME-P1.
    """
    names = [_base(file) for file in files]
    for k in range(1, 1 + max((len(file.parts) for file in files), default=0)):
        counts = Counter(_twinless(name) for name in names)
        alike = [i for i, name in enumerate(names) if counts[_twinless(name)] > 1]
        if not alike:
            break
        endings = Counter(_with_ending(files[i]) for i in alike)
        for i in alike:
            by_ending = k == 1 and endings[_with_ending(files[i])] == 1
            names[i] = _with_ending(files[i]) if by_ending else _with_folders(files[i], k)
    return unused(names)


def unused(names: Sequence[str]) -> list[str]:
    """Return names that are safe as file names and all different; one that is taken gets a number.

    Args:
        names: Any names.
    """
    found: list[str] = []
    taken: set[str] = set()
    for name in map(safe, names):
        k, free = 1, name
        while _twinless(free) in taken:
            k += 1
            free = f"{name}-{k}"
        taken.add(_twinless(free))
        found.append(free)
    return found


def safe(name: str) -> str:
    """Return a name that is one part of a path on any system, is UTF-8 and is not too long.

    Args:
        name: Any text. Bytes that are no UTF-8 stand in it as Python decodes names of files.

    Returns:
        The name itself if it is safe. Else it has `_` for separators and control characters, hexadecimal digits for
        bytes that are no UTF-8, and a digest at its end if it was too long.
    """
    text = "".join(f"_{ord(c) & 0xFF:02x}" if "\ud800" <= c <= "\udfff" else c for c in name)  # bytes that are no UTF-8
    text = "".join(c if c.isprintable() and c not in '/\\:*?"<>|' else "_" for c in text).strip()
    text = ("_" + text.lstrip(".") if text.startswith(".") else text) or "structure"
    if len(text.encode()) <= LONGEST:
        return text
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:8]
    return text.encode()[: LONGEST - 9].decode(errors="ignore") + f"-{digest}"


def listed(files: Sequence[Path], most: int = 3) -> str:
    """Return the names of the first files as a text, with how many more there are.

    Args:
        files: The files.
        most: How many are named.
    """
    shown = ", ".join(shortened(file) for file in files[:most])
    return shown if len(files) <= most else f"{shown} and {len(files) - most:,} more"


def plain_path(file: PurePath) -> PurePath:
    """Return the path that a file has without what it is compressed with.

    Args:
        file: Any path, such as `a.cif.gz`.
    """
    return file.with_suffix("") if file.suffix.lower() in COMPRESSED and file.stem else file


def _base(file: PurePath) -> str:
    """Return the name of a file without the ending of its format."""
    name = plain_path(file)
    return name.stem if name.suffix.lower() in _ENDINGS else name.name


def _with_ending(file: PurePath) -> str:
    """Return the name of a file with its ending as a part of it, such as `a-cif`."""
    base = _base(file)
    return "-".join([base, *file.name[len(base) :].replace(".", " ").split()])


def _with_folders(file: PurePath, count: int) -> str:
    """Return the name of a file with so many of the folders above it."""
    folders = [part for part in file.parts[:-1] if part not in ("/", ".", "..")]
    return "-".join([*folders[-count:], _base(file)])


def _twinless(name: str) -> str:
    """Return what two names have in common that would share a file, that of NAME and that of NAME-P1."""
    return name.removesuffix(_TWIN)


def shortened(file: PurePath) -> str:
    """Return a path as a text of at most 40 characters, the end of it where it is longer.

    Args:
        file: Any path.
    """
    text = str(file)
    return text if len(text) <= _SHOWN else f"…{text[1 - _SHOWN :]}"
