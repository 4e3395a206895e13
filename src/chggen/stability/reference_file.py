"""The file of a table of reference entries: its arrays in a compressed .npz of a numbered format."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from chggen.errors import InputError
from chggen.io import check_unpacked_size, whole

REFERENCES_FORMAT: Final = 4
_WITHOUT_DISORDERED: Final = 3  # formats before, which are still read
_WITHOUT_FINGERPRINTS: Final = 2
_KINDS: Final = {
    "levels": "U", "ids": "U", "formulas": "U", "masks": "u", "energies": "f", "relaxed": "b", "space_groups": "iu",
    "n_atoms": "iu", "fingerprints": "u", "drops": "f", "disordered": "U",
}  # fmt: skip
"""Name of an array to the kinds of numbers or texts that it may hold, by NumPy's letters."""
_TEXTS: Final = ("ids", "formulas", "disordered")  # kept as bytes, which need a quarter of the space of str arrays


def write_arrays(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Write the arrays of a table of references.

    The file appears whole or not at all.

    Args:
        arrays: Name to array: the fields of `References`, without its reason; `disordered` is one text, see
            `disordered_phases.written`.
        path: File to write. A file that is there is replaced.
    """
    kept: dict[str, Any] = {name: np.char.encode(a, "utf-8") if name in _TEXTS else a for name, a in arrays.items()}
    with whole(path) as temporary, temporary.open("wb") as file:  # given a name, numpy would add .npz to it
        np.savez_compressed(file, format=np.array(REFERENCES_FORMAT), **kept)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of a table of references.

    Args:
        path: File that `write_arrays` has written.

    Returns:
        Name to array: the fields of `References`, without its reason; `disordered` is one text. Files of earlier
        formats have no disordered phases, or no fingerprints either; those are unknown.

    Raises:
        InputError: The file is missing, or is not a table of references of a format that is read.
    """
    if not os.path.isfile(path):  # False for names that no file can have, too
        raise InputError(f"no reference table at {path}; make one with `chggen references build`")
    check_unpacked_size(path, "a reference table")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        number = int(arrays.pop("format"))
        _check_format(path, number)
        if number <= _WITHOUT_DISORDERED:
            arrays["disordered"] = np.array(b"[]")
        if number == _WITHOUT_FINGERPRINTS:
            arrays["fingerprints"] = np.zeros(len(arrays["ids"]), np.uint64)
        for name in _TEXTS:
            arrays[name] = np.char.decode(arrays[name], "utf-8")
        _check_shapes(arrays)
    except InputError:
        raise
    except Exception as error:  # numpy raises anything from BadZipFile to KeyError for a foreign file
        raise InputError(
            f"{path} is not a reference table ({error}); expected a references.npz, build or import it anew"
        ) from None
    return arrays


def _check_format(path: Path, number: int) -> None:
    """Raise InputError for a format that cannot be read."""
    if number > REFERENCES_FORMAT:
        raise InputError(f"{path} is a reference table of format {number}, which a newer chggen wrote; update chggen")
    if number < _WITHOUT_FINGERPRINTS:
        raise InputError(f"{path} is a reference table of format {number}, which is no longer read; build it again")


def _check_shapes(arrays: Mapping[str, np.ndarray]) -> None:
    """Raise ValueError for arrays that do not belong together or do not make a table."""
    n_entries, n_levels = len(arrays["ids"]), len(arrays["levels"])
    expected = {
        "levels": (n_levels,),
        "ids": (n_entries,),
        "formulas": (n_entries,),
        "masks": (n_entries, 2),
        "energies": (n_entries, n_levels),
        "relaxed": (n_entries, n_levels),
        "space_groups": (n_entries,),
        "n_atoms": (n_entries,),
        "fingerprints": (n_entries,),
        "drops": (n_levels,),
        "disordered": (),
    }
    if unknown := sorted(set(arrays) - set(expected)):
        raise ValueError(f"it has {unknown[0]}, which no table has")
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name} has shape {arrays[name].shape}, not {shape}")
        if arrays[name].dtype.kind not in _KINDS[name]:
            raise ValueError(f"{name} are {arrays[name].dtype}, which no table has")
    if arrays["fingerprints"].dtype != np.uint64:
        raise ValueError(f"fingerprints are {arrays['fingerprints'].dtype}, not uint64")
    if np.isinf(arrays["energies"]).any():
        raise ValueError("a row has an infinite energy")
    if not arrays["masks"].any(axis=1).all():
        raise ValueError("a row has no elements")
