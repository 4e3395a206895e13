"""Lists of formulas that one run searches, given as they are or as a file."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from chggen.crystals import parse_formula, plain_text, reduced
from chggen.errors import InputError
from chggen.io import read_text

_COLUMNS: Final = ("formula", "composition", "pretty_formula", "formula_pretty")
_MOST: Final = 100_000


def read_formulas(given: Any) -> tuple[str, ...]:
    """Return the formulas of a file, or those that are given.

    A file holds one formula a line, or is a table with commas, semicolons or tabs between its columns, one of which is
    called `formula` (or `composition`, `formula_pretty`). Lines that are empty or begin with `#` do not count.
    Of several formulas of one composition the first counts.

    Args:
        given: The path of a file, or formulas; nothing for none.

    Returns:
        The formulas without spaces, in their order.

    Raises:
        ValueError: The file cannot be read, something in it is no formula, or there are none or too many.
    """
    if given is None or (not isinstance(given, os.PathLike) and not len(given)):
        return ()
    if (path := _as_path(given)) is not None:
        if not path.is_file():
            raise ValueError(f"expected a file of formulas, one a line; there is none at {path!s:.100}")
        rows: Iterable[tuple[str, Any]] = _rows(path)
    elif isinstance(given, Iterable):
        rows = ((f"number {k}", text) for k, text in enumerate(given, 1))
    else:
        raise ValueError(f"expected formulas, or a file of them, got {given!r:.40}")
    found: dict[tuple[tuple[str, int], ...], str] = {}
    for place, text in rows:
        try:
            formula = plain_text(text)
            counts = reduced(parse_formula(formula))
        except (InputError, TypeError, AttributeError) as error:
            raise ValueError(f"{place} is no formula ({error!s:.80}); correct it, or leave it out") from None
        found.setdefault(tuple(sorted(counts.items())), formula)
    if not 0 < len(found) <= _MOST:
        raise ValueError(f"expected 1 to {_MOST} formulas, got {len(found)}")
    return tuple(found.values())


def _as_path(given: Any) -> Path | None:
    """Return what is given as a path, also where the command line gives it as one of several; None for formulas."""
    if isinstance(given, (str, os.PathLike)):
        return Path(given)
    if isinstance(given, (tuple, list)) and len(given) == 1 and isinstance(given[0], str):
        return Path(given[0]) if Path(given[0]).suffix or os.sep in given[0] or Path(given[0]).is_file() else None
    return None


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    """Yield where a formula stands in a file, and its text."""
    lines = [
        (f"line {number} of {path.name}", line)
        for number, line in enumerate(read_text(path).splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not lines:
        return
    between = next((sign for sign in ("\t", ";", ",") if sign in lines[0][1]), ",")
    table = list(csv.reader((line for _, line in lines), delimiter=between, skipinitialspace=True))
    heads = [cell.strip().lower() for cell in table[0]]
    column = next((heads.index(name) for name in _COLUMNS if name in heads), None)
    if column is None and len(heads) > 1:
        raise ValueError(f"{path.name} has the columns {', '.join(heads)[:80]}; expected one called formula")
    for (place, _), row in list(zip(lines, table, strict=False))[0 if column is None else 1 :]:
        yield place, row[column or 0] if len(row) > (column or 0) else ""
