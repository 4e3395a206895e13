"""What `chggen interface` shows below its table: net and reaction of both crystals, energies per area, new bonds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

_MOST: Final = 20  # candidates that are shown


def interface_lines(folder: Path) -> Iterator[str]:
    """Yield the lines that say what the interface is.

    Args:
        folder: The results folder.
    """
    from chggen.report import table_of_interface

    table = table_of_interface(folder)
    if table is None:
        return
    yield from table.summary
    yield "  J/m²: interface  adhesion  separation  layer, Å  new bonds (* of products)"
    for row in table.rows[:_MOST]:
        energy, adhesion, separation, layer, bonds, *_ = row.cells
        yield f"{energy:>17}{adhesion:>10}{separation:>12}{layer:>10}  {bonds or 'none':<26}  {row.link}"
