"""What `chggen interface` shows below its table: net and reaction of both crystals, energies per area, new bonds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

_MOST: Final = 20  # candidates that are shown


def read_interface(folder: Path) -> dict[str, Any] | None:
    """Return what a run says of its interface; None where it has not ended.

    Args:
        folder: Its results folder.
    """
    from chggen.campaign import INTERFACE_FILE
    from chggen.io import own_text

    path = folder / INTERFACE_FILE
    if not path.exists():
        return None
    said: dict[str, Any] = json.loads(own_text(path))
    return said


def interface_lines(said: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that say what the interface is.

    Args:
        said: What the run says of it, see `read_interface`.
    """
    from chggen.report import interface_page

    table = interface_page(said)
    yield from table.summary
    yield "  J/m²: interface  adhesion  separation  layer, Å  new bonds (* of products)"
    for row in table.rows[:_MOST]:
        energy, adhesion, separation, layer, bonds, *_ = row.cells
        yield f"{energy:>17}{adhesion:>10}{separation:>12}{layer:>10}  {bonds or 'none':<26}  {row.link}"
