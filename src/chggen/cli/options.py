"""Options that several commands have, and what is read from the text of one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated, Any

import typer

from chggen.campaign import ORDER_HELP
from chggen.errors import InputError

Device = Annotated[str, typer.Option(help="cpu or cuda.")]
Workers = Annotated[int, typer.Option(help="Local processes (0: one a core), or batches at a time with --executor.")]
TIME_LIMIT = 21600.0  # s, as `chggen.execution.TIME_LIMIT`, which takes long to import
TimeLimit = Annotated[
    float, typer.Option(help="Most seconds for a candidate; one that takes longer is a failed row and is stopped.")
]
Executor = Annotated[
    str, typer.Option(help="What computes: local (processes of this machine), slurm:FILE.toml or dask:ADDRESS.")
]
Database = Annotated[
    str | None,
    typer.Option(
        help="Address of a database that many runs share, beside --out: postgresql://USER:PASSWORD@HOST/NAME."
    ),
]
References = Annotated[
    list[str] | None,
    typer.Option(
        help="File of known phases or of disordered structures; may be repeated; `shipped`: the built-in ones."
    ),
]
Order = Annotated[bool, typer.Option("--order", help=ORDER_HELP)]
Hold = Annotated[
    list[str] | None, typer.Option("--hold", help="Atoms held in place: symbols, numbers from 0 or a region.")
]
_NAMED = re.compile(r"(\w+)(?:\.\w+)*(?=: | has no effect| must be )")  # the field that a refusal is about
_NAMES = {"n": ("-n",), "guests": ("--guest",)}  # options that are not called like their fields


def results_folder(default: str) -> Any:
    """Return the option `--out` of a command that makes a results folder.

    Args:
        default: The folder that it writes to otherwise, for the help.
    """
    help_ = f"Folder for the results; resumed if it is there.  [default: {default}]"
    return typer.Option("--out", "-o", help=help_)


def as_typed(message: str, arguments: Sequence[str]) -> str:
    """Return a refusal with the name of an option as it was typed, where it begins with that of a Python argument.

    Args:
        message: What is said.
        arguments: The command line. A field that is no option of it keeps its name.
    """
    found = _NAMED.match(message)
    if found is None:
        return message
    flag = flags(found[1])[0]
    typed = any(a == flag or a.startswith(f"{flag}=" if flag[:2] == "--" else flag) for a in arguments)
    return flag + message[found.end() :] if typed else message


def words(text: str) -> tuple[str, ...]:
    """Return the parts of a text between commas.

    Args:
        text: Such as `a,b`.
    """
    return tuple(part.strip() for part in text.split(",") if part.strip())


def integers(text: str, option: str) -> tuple[int, ...]:
    """Return the whole numbers in a text between commas.

    Args:
        text: Such as `1,2`.
        option: Name of the option, for the message.

    Raises:
        InputError: For a part that is no whole number.
    """
    try:
        return tuple(int(part) for part in words(text))
    except ValueError:
        raise InputError(f"{option} must be numbers separated by commas, got '{text}'") from None


def floats(text: str, option: str) -> tuple[float, ...]:
    """Return the numbers in a text between commas.

    Args:
        text: Such as `0.01,0.1` or `0,1/3`.
        option: Name of the option, for the message.

    Raises:
        InputError: For a part that is no number.
    """
    try:
        return tuple(float(Fraction(part)) for part in words(text))
    except (ValueError, ZeroDivisionError, OverflowError):
        raise InputError(f"{option} must be numbers separated by commas, got '{text}'") from None


def flags(name: str) -> tuple[str, ...]:
    """Return the command-line names of a field.

    Args:
        name: Its name.
    """
    return _NAMES.get(name, (f"--{name.replace('_', '-')}",))
