"""What `chggen interface` shows below its table: the net of both crystals, and energies per area."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

_MOST: Final = 20  # candidates that are shown


def read_interface(folder: Path) -> dict[str, Any]:
    """Return what a run says of its interface.

    Args:
        folder: Its results folder.
    """
    from chggen.workflows import INTERFACE_FILE

    said: dict[str, Any] = json.loads((folder / INTERFACE_FILE).read_text(encoding="utf-8"))
    return said


def interface_lines(said: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that say what the interface is.

    Args:
        said: What the run says of it, see `read_interface`.
    """
    low, high = said["gap"]
    yield (
        f"interface of {said['area']:.1f} Å², net strained by at most {100 * said['strain']:.1f} %, gap from {low:.2f} "
        f"to {high:.2f} Å; energies against the two strained slabs:"
    )
    distinct = [row for row in said["candidates"] if row["duplicate_of"] is None]
    for row in distinct[:_MOST]:
        yield f"  {row['interface_energy']:8.3f} J/m²  {row['id']}"
