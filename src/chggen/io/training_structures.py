"""Reading structures to train on, from extxyz files and CSV tables of CIF texts."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chggen.errors import InputError
from chggen.io.cif_files import structures_of_cif
from chggen.io.plain_structures import plain_structure
from chggen.io.structures import is_file, read_structures
from chggen.io.text_files import read_text

if TYPE_CHECKING:
    from pymatgen.core import Structure

_MOST_BYTES: Final = 2**32  # of a training file; they are larger than files of a few structures


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
        return read_structures(path, _MOST_BYTES)
    if not is_file(path):
        raise InputError(f"no table of structures at {path}; give a .csv with a column 'cif' or an .extxyz file")
    structures = []
    csv.field_size_limit(10**8)
    with path.open(newline="") as handle:
        for number, row in enumerate(csv.DictReader(handle), 2):
            if "cif" not in row:
                raise InputError(f"{path} has no column 'cif'; expected CIF texts or paths in it")
            try:
                text = row["cif"] if "data_" in row["cif"] else read_text(path.parent / row["cif"])
                (given,), _ = structures_of_cif(text, f"line {number}")
                structures.append(plain_structure(given, f"line {number}")[0])
            except Exception as error:  # name the line, so that one bad row among thousands can be found
                raise InputError(f"line {number} of {path} is no readable CIF: {error}") from None
    return structures
