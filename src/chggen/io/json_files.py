"""Reading structures from pymatgen's JSON, without running anything that a file names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from chggen.errors import InputError
from chggen.io.bounds import check_count
from chggen.io.foreign_json import without_foreign_classes

if TYPE_CHECKING:
    from pymatgen.core import Structure


def structures_of_json(text: str, where: str) -> list[Structure]:
    """Read the structures of a JSON file: one structure, a list of them, or entries that hold one each.

    Args:
        text: The text of the file.
        where: What the file is called in messages.

    Returns:
        The structures in their order.

    Raises:
        InputError: The file is no JSON of structures.
        Exception: Whatever pymatgen raises for a structure that it cannot read.
    """
    from pymatgen.core import Structure

    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} holds no structure that can be read ({error}); expected pymatgen JSON") from None
    tables = [table for one in (given if isinstance(given, list) else [given]) if (table := _table(one))]
    if not tables or (isinstance(given, list) and len(tables) != len(given)):
        raise InputError(f"{where} holds no structure that can be read; expected pymatgen JSON of a Structure")
    for table in tables:
        check_count(len(table["sites"]), where)
    return [Structure.from_dict(without_foreign_classes(table)) for table in tables]


def _table(value: Any) -> dict[str, Any] | None:
    """Return the dictionary of a structure, which may be that of an entry; None where there is none."""
    if isinstance(value, dict) and isinstance(value.get("structure"), dict):
        value = value["structure"]
    if isinstance(value, dict) and isinstance(value.get("lattice"), dict) and isinstance(value.get("sites"), list):
        return value
    return None
