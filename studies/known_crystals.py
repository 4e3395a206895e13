"""Known crystals that studies are held against, from the folder of development data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from pymatgen.core import Lattice, Structure

SEED = 7


def validation_crystals(data: Path, n: int, most: int, wanted: Callable[[set[str]], bool]) -> list[Structure]:
    """Crystals of the split `val` of mp20.npz, in an order that is drawn once for all.

    Args:
        data: Folder of development data.
        n: How many.
        most: Most atoms of one.
        wanted: Whether a set of elements is.
    """
    arrays = dict(np.load(data / "mp20.npz"))
    found: list[Structure] = []
    for i in np.random.default_rng(SEED).permutation(np.flatnonzero(arrays["split"] == "val")):
        part = slice(arrays["offsets"][i], arrays["offsets"][i + 1])
        lattice = Lattice.from_parameters(*arrays["cell"][i].astype(float))
        whole = Structure(lattice, arrays["Z"][part].tolist(), arrays["frac"][part].astype(float))
        if len(whole) <= most and wanted({str(element) for element in whole.composition}):
            found.append(whole.get_primitive_structure())
            if len(found) == n:
                break
    return found


def formula_of(crystal: Structure) -> str:
    """The whole content of a cell, such as Ca2Mn2O6."""
    return "".join(f"{symbol}{int(k)}" for symbol, k in crystal.composition.items())
