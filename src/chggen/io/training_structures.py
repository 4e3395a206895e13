"""Structures to train on, from extxyz files and CSV tables of CIF texts."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from chggen.errors import InputError
from chggen.io.structures import is_file, read_structures

if TYPE_CHECKING:
    from pymatgen.core import Structure


def read_training_structures(path: Path) -> list[Structure]:
    """The structures of an .extxyz, or of a .csv whose `cif` column holds CIF texts or paths beside the table."""
    if path.suffix != ".csv":
        return read_structures(path)
    from pymatgen.core import Structure

    if not is_file(path):
        raise InputError(f"no table of structures at {path}; give a .csv with a column 'cif' or an .extxyz file")
    structures = []
    csv.field_size_limit(10**8)
    with path.open(newline="") as handle:
        for number, row in enumerate(csv.DictReader(handle), 2):
            if "cif" not in row:
                raise InputError(f"{path} has no column 'cif'; expected CIF texts or paths in it")
            try:
                text = row["cif"] if "data_" in row["cif"] else (path.parent / row["cif"]).read_text()
                structures.append(Structure.from_str(text, fmt="cif"))
            except Exception as error:  # name the line: a table of thousands has to be mendable
                raise InputError(f"line {number} of {path} is no readable CIF: {error}") from None
    return structures
