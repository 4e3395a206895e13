"""Reading structures to train on, from extxyz files and CSV tables of CIF texts."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from chggen.errors import InputError
from chggen.io.structures import is_file, read_structures

if TYPE_CHECKING:
    from pymatgen.core import Structure


def read_training_structures(path: Path) -> list[Structure]:
    """Read all structures of a training file.

    Args:
        path: A `.csv` table with a column `cif`, or any structure file that `read_structures` reads, usually extxyz.
            Each row of the column holds the text of a CIF, or the path of a CIF file relative to the table's folder.

    Returns:
        The structures in the order of the file.

    Raises:
        InputError: The file is missing, the table has no column `cif`, or an entry cannot be read. The message names
            the line of the table.
    """
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
            except Exception as error:  # name the line, so that one bad row among thousands can be found
                raise InputError(f"line {number} of {path} is no readable CIF: {error}") from None
    return structures
