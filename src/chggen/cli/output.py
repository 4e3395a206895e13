"""What commands print: lines and tables for people, or with --json and --csv the same for other programs."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from chggen.errors import InputError

_JSON: Final = Annotated[bool, typer.Option("--json", help="Print the results as JSON, and nothing else.")]
_CSV: Final = Annotated[bool, typer.Option("--csv", help="Print the results as CSV, and nothing else.")]


class Line(str):
    """A line that a command prints, with the row of --json and --csv that says the same.

    Args:
        text: The line.
        **row: Column to value, for one of several things of a kind; none for a line about something else.
    """

    row: Mapping[str, Any]

    def __new__(cls, text: str, **row: Any) -> Line:
        made = super().__new__(cls, text)
        made.row = row
        return made


class _Wanted:
    """The form in which the command prints its results."""

    form: str | None = None


def printing(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options --json and --csv, which it need not know of.

    Args:
        command: The command, which prints by `say`, `print_lines` and `print_table` alone.
    """

    def run(*, json: bool = False, csv: bool = False, **values: Any) -> None:
        if json and csv:
            raise InputError("--json and --csv are two forms of the results; give one of them")
        _Wanted.form = "json" if json else "csv" if csv else None
        command(**values)

    own = inspect.signature(command, eval_str=True).parameters.values()
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
        for name, kind in (("json", _JSON), ("csv", _CSV))
    ]
    parameters = [*(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own), *added]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run


def for_people() -> bool:
    """Return whether results are printed for people."""
    return _Wanted.form is None


def say(line: str) -> None:
    """Print a line for people; nothing where results are printed for programs.

    Args:
        line: The line.
    """
    if for_people():
        typer.echo(line)


def print_lines(lines: Iterable[str]) -> None:
    """Print lines, or the rows of those that have one.

    Args:
        lines: The lines.
    """
    if for_people():
        for line in lines:
            typer.echo(line)
    else:
        print_rows([line.row for line in lines if isinstance(line, Line) and line.row])


def print_rows(rows: Sequence[Mapping[str, Any]], **further: Any) -> None:
    """Print rows for other programs, as --json or --csv asks.

    Args:
        rows: Column to value.
        **further: What else there is to say. JSON has it beside the rows, which are called `results`; CSV has not.
    """
    from chggen.results import csv_text

    if _Wanted.form == "json":
        typer.echo(json.dumps({"results": rows, **further}, indent=1, default=str, ensure_ascii=False))
    else:
        typer.echo(csv_text(rows), nl=False)
