"""Tables of the page whose rows lead to candidates, and what they and their files have in common."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chggen.errors import InputError
from chggen.io import own_text


@dataclass(frozen=True)
class PageRow:
    """A row of a table.

    Attributes:
        cells: A text for each column.
        link: Id of the candidate that the last cell leads to.
        stable: Whether the row is marked: a content on the hull, an ordering with most of the weight.
        anchor: Nothing leads to such a row.
    """

    cells: tuple[str, ...]
    link: str
    stable: bool
    anchor: str = ""


@dataclass(frozen=True)
class PageTable:
    """A table with what it says in sentences.

    Attributes:
        title: What it is of.
        heads: Names of the columns, and `n` for those of numbers.
        rows: The rows.
        summary: Sentences below it.
    """

    title: str
    heads: tuple[tuple[str, str], ...]
    rows: list[PageRow]
    summary: list[str]


def number_text(value: float | None, digits: int, scale: float = 1.0) -> str:
    """Return a number for a cell, which is never -0.0; nothing for None.

    Args:
        value: The number.
        digits: Digits behind the point.
        scale: What it is multiplied by.
    """
    return "" if value is None else f"{round(scale * value, digits) + 0.0:.{digits}f}"


def read_said(path: Path, check: Callable[[Any], object]) -> Any:
    """Return what a run has said of its candidates in a JSON file; None where there is none.

    Args:
        path: The file.
        check: Called with its content; what it raises for something else tells that the file is damaged.

    Raises:
        InputError: The file is damaged.
    """
    if not path.exists():
        return None
    try:
        said = json.loads(own_text(path))
        check(said)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{path} is damaged; repeat the command of this folder, which writes it anew") from None
    return said
