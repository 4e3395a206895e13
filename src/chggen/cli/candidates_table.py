"""The table of candidates in a terminal, which fits its width."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from rich.cells import cell_len
from rich.table import Table

from chggen.results import Candidate, Column, columns_of

_FRAME = 3  # characters that a column takes beside its content, and one more for all


def candidates_table(
    title: str, candidates: Sequence[Candidate], shown: Sequence[Candidate], likeliest: Collection[str], width: int
) -> Table:
    """Return a table of candidates.

    Where it is too wide, heads take two lines; then columns that are less asked for are left out (`Column.spared`).

    Args:
        title: What stands above it.
        candidates: All candidates of the run, which say what columns there are.
        shown: Those that have rows.
        likeliest: Ids of those whose rows stand out.
        width: Characters that a line may have.
    """
    columns = list(columns_of(candidates))
    cells = {column.name: [column.text(c) for c in shown] for column in columns}
    heads = {column.name: column.name for column in columns}
    if _width(heads, cells) > width:
        heads = {name: name.replace(", ", ",\n").replace(" (", "\n(").replace("E_d ", "E_d\n") for name in heads}
    for column in sorted((c for c in columns if c.spared), key=lambda c: -c.spared):
        if _width(heads, cells) > width:
            columns.remove(column)
            del heads[column.name], cells[column.name]
    table = Table(title=title)
    for column in columns:
        table.add_column(heads[column.name], no_wrap=True, justify=_side(column))
    for k, candidate in enumerate(shown):
        row = [cells[column.name][k] for column in columns]
        table.add_row(*row, style="bold" if candidate.id in likeliest else None)
    return table


def _side(column: Column) -> Literal["left", "right"]:
    return "right" if column.number else "left"


def _width(heads: dict[str, str], cells: dict[str, list[str]]) -> int:
    """Return how many characters a table takes that has these columns."""
    lines = {name: [*head.split("\n"), *cells[name]] for name, head in heads.items()}
    return 1 + sum(_FRAME + max(map(cell_len, texts)) for texts in lines.values())
