"""Reading TOML into dataclasses and writing tables as TOML.

Unknown keys and wrong types are refused. Reading needs the standard library only, so that training runs where pydantic
is not installed.
"""

from __future__ import annotations

import dataclasses
import tomllib
import typing
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any

from chggen.errors import InputError

T = typing.TypeVar("T")


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Args:
        path: The file.

    Returns:
        Its top-level table.

    Raises:
        InputError: The file is missing, cannot be read, or is not valid TOML.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe would never end
            raise InputError(f"{path} is not a readable TOML file: it is a folder or a pipe; move it away")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"no configuration file at {path}; expected a TOML file") from None
    except InputError:
        raise
    except (ValueError, RecursionError, OSError) as error:  # ValueError: no TOML, no UTF-8, numbers of many digits
        raise InputError(f"{path} is not a readable TOML file: {error}") from None


def to_toml(table: Mapping[str, Any]) -> str:
    """Write a table as TOML text.

    Args:
        table: Keys and their values: booleans, numbers, strings, lists and tables. Other values are written as strings.
            Keys whose value is None are left out.

    Returns:
        The TOML text: first the plain keys, then the sub-tables.

    Example:
        >>> print(to_toml({"seed": 0, "model": {"cutoff": 5.5}}), end="")
        seed = 0
        <BLANKLINE>
        [model]
        cutoff = 5.5
    """
    import tomli_w

    return tomli_w.dumps(_plain(table))


def _plain(value: Any) -> Any:
    """Return a value made of what TOML knows, without the keys of mappings whose value is None."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items() if v is not None}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value if isinstance(value, (bool, int, float)) else str(value)


def from_table(kind: type[T], table: Mapping[str, Any], where: str) -> T:
    """Build a dataclass from a table, nested dataclasses included.

    Values are checked against the type hints of the fields. Integers are accepted for floats, lists for tuples.

    Args:
        kind: The dataclass to build.
        table: Field names and their values. Fields that are left out take their defaults.
        where: Name of the table for error messages, such as the file it came from.

    Returns:
        An instance of `kind`.

    Raises:
        InputError: A key is unknown, a value has the wrong type, or a field without a default is missing. The message
            names the key.
    """
    hints = typing.get_type_hints(kind)
    fields = [f.name for f in dataclasses.fields(kind)]  # type: ignore[arg-type]
    unknown = sorted(set(table) - set(fields))
    if unknown:
        raise InputError(f"unknown key '{unknown[0]}' in [{where}]; expected one of {', '.join(fields)}")
    values = {name: _checked(hints[name], value, f"{where}.{name}") for name, value in table.items()}
    try:
        return kind(**values)
    except TypeError as error:
        raise InputError(f"[{where}] is incomplete: {error}") from None


def _checked(hint: Any, value: Any, where: str) -> Any:
    """Return a value converted to its type hint; raise InputError naming `where` if it does not fit."""
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise InputError(f"{where} must be a table, got {value!r}")
        return from_table(typing.cast(type, hint), value, where)
    origin = typing.get_origin(hint)
    if origin in (typing.Union, UnionType):
        hint = next(h for h in typing.get_args(hint) if h is not type(None))
        origin = typing.get_origin(hint)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise InputError(f"{where} must be a list, got {value!r}")
        return tuple(_checked(typing.get_args(hint)[0], v, where) for v in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise InputError(f"{where} must be of type float, got a number of {value.bit_length()} bits") from None
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise InputError(f"{where} must be of type {hint.__name__}, got {value!r}")
    return value
