"""The options of commands that make a results folder, read from the option models, so that they are written once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from chggen.cli.options import (
    TIME_LIMIT,
    Database,
    Device,
    Executor,
    TimeLimit,
    Workers,
    flags,
    floats,
    integers,
    words,
)
from chggen.errors import InputError
from chggen.settings import Options

_REPEATED = ("guests", "references", "region", "remove", "hold", "mu")  # options that may be given several times


def merged(command: Callable[..., None], options: type[Options], leave_out: Iterable[str]) -> Callable[..., None]:
    """Return a command with the options of a model beside its own parameters, see `late_commands.with_options`.

    Args:
        command: The command, which takes the options as `**values`.
        options: The option model.
        leave_out: Fields of which no option is made.
    """
    fields = {name: field for name, field in options.keywords().items() if name not in leave_out}

    def run(**values: Any) -> None:
        command(**{k: _value(k, fields[k], v) if k in fields else v for k, v in values.items()})

    own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.kind != p.VAR_KEYWORD]
    if "device" not in {p.name for p in own}:  # it hands on where a run computes and writes as it is
        own[-1:-1] = inspect.signature(_of_a_run, eval_str=True).parameters.values()
    first = [p for p in own if p.default is p.empty or not _is_last(p.name)]
    last = [p for p in own if p not in first]
    made = [_parameter(name, field) for name, field in fields.items() if name not in {p.name for p in own}]
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*first, *made, *last)]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run


def _of_a_run(
    *,
    device: Device = "cpu",
    workers: Workers = 0,
    time_limit: TimeLimit = TIME_LIMIT,
    executor: Executor = "local",
    database: Database = None,
) -> None:
    """Hold the options of all runs about where they compute, and where else they write."""


def guest_counts(texts: Iterable[str]) -> dict[str, int]:
    """Return element symbol to count.

    Args:
        texts: Such as `Li=4`; counts of one element add up.

    Raises:
        InputError: For a text that is not of this form.
    """
    guests: dict[str, int] = {}
    for text in texts:
        symbol, _, count = text.partition("=")
        if not count.strip().lstrip("-").isdecimal():
            raise InputError(f"--guest must be ELEMENT=COUNT such as Li=4, got '{text}'")
        guests[symbol.strip()] = guests.get(symbol.strip(), 0) + int(count)
    return guests


def numbers(texts: Iterable[str], option: str) -> dict[str, float]:
    """Return name to number.

    Args:
        texts: Such as `O=-4.9`.
        option: Name of the option, for the message.

    Raises:
        InputError: For a text that is not of this form.
    """
    found: dict[str, float] = {}
    for text in texts:
        name, _, number = text.partition("=")
        try:
            found[name.strip()] = float(number)
        except ValueError:
            raise InputError(f"{option} must be ELEMENT=NUMBER such as O=-4.9, got '{text}'") from None
    return found


def _is_last(name: str) -> bool:
    """Return whether a parameter stands at the end of every command's help."""
    return name in ("device", "workers", "time_limit", "executor", "database", "out")


def _parameter(name: str, field: FieldInfo) -> inspect.Parameter:
    """Return a command's parameter for a field: text for lists and choices, which the model checks."""
    names = flags(name)
    default = field.get_default(call_default_factory=True)
    kind = _kind(name, field)
    if field.is_required():
        default = ...
    elif kind == list[str]:
        default = None
    elif isinstance(default, tuple):
        default = ",".join(map(str, default))
    annotation = kind | None if default is None else kind
    choices = f" [{', '.join(_choices(field))}]" if _choices(field) else ""
    text = f"{field.description or ''}{choices}"
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if default is ... else default,
        annotation=Annotated[annotation, typer.Option(*names, help=text)],
    )


def _kind(name: str, field: FieldInfo) -> Any:
    """Return the type that a field has on the command line."""
    kinds = _plain(field.annotation)
    if name in _REPEATED:
        return list[str]
    for kind in (bool, int, float):
        if kinds == {kind}:
            return kind
    return str


def _plain(annotation: Any) -> set[Any]:
    """Return the types that a value may have, None apart."""
    if get_origin(annotation) is Literal:
        return {str}
    parts = get_args(annotation)
    if annotation in (int, float, bool, str) or not parts or get_origin(annotation) in (tuple, dict):
        return {get_origin(annotation) or annotation}
    found: set[Any] = set().union(*(_plain(part) for part in parts if part is not type(None)))
    return {part for part in found if isinstance(part, type)}


def _choices(field: FieldInfo) -> tuple[str, ...]:
    """Return the choices of a field that has a fixed set of them, else none."""
    parts = (field.annotation, *get_args(field.annotation))
    return next((tuple(map(str, get_args(part))) for part in parts if get_origin(part) is Literal), ())


def _value(name: str, field: FieldInfo, given: Any) -> Any:
    """Return what the library takes for what the command line gave. Raises InputError."""
    flag = flags(name)[0]
    choices = _choices(field)
    if get_origin(field.annotation) is dict:
        return guest_counts(given or ()) if float not in get_args(field.annotation) else numbers(given or (), flag)
    if get_origin(field.annotation) is tuple and isinstance(given, str):
        kinds = _items(field)
        return integers(given, flag) if int in kinds else floats(given, flag) if float in kinds else words(given)
    if isinstance(given, list):
        return tuple(given)
    if given is None and isinstance(field.default, tuple):
        return field.default
    if given is None:
        return None
    if choices and _kind(name, field) is str and int not in _plain(field.annotation) and given not in choices:
        raise InputError(f"{flag} must be one of {', '.join(choices)}, got '{given}'")
    return given


def _items(field: FieldInfo) -> set[Any]:
    """Return the types of the items of a field that is a sequence."""
    return {kind for part in get_args(field.annotation) if part is not ... for kind in _plain(_bare(part))}


def _bare(annotation: Any) -> Any:
    """Return the type of an annotated type."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
