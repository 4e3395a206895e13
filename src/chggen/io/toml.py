"""Options from TOML tables into frozen dataclasses and back; unknown keys and wrong types are refused.

Plain standard library, so that training runs where pydantic is absent.
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
    """A TOML file as a table. Raises InputError when it is missing or not TOML."""
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise InputError(f"no configuration file at {path}; expected a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path} is not a readable TOML file: {error}") from None


def to_toml(table: Mapping[str, Any]) -> str:
    """A table of scalars, lists and one level of sub-tables as TOML; None is left out."""
    own = [f"{k} = {_value(v)}" for k, v in table.items() if v is not None and not isinstance(v, Mapping)]
    for name, sub in table.items():
        if isinstance(sub, Mapping):
            own += ["", f"[{name}]", *(f"{k} = {_value(v)}" for k, v in sub.items() if v is not None)]
    return "\n".join(own).strip() + "\n"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k} = {_value(v)}" for k, v in value.items()) + "}"
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def from_table(kind: type[T], table: Mapping[str, Any], where: str) -> T:
    """Build the dataclass `kind` from a table, nested dataclasses too. Raises InputError naming the key at fault."""
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
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise InputError(f"{where} must be of type {hint.__name__}, got {value!r}")
    return value
