"""What two tables of options differ in, in the words of the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

_GUESTS: Final = "guests"  # which may be a table, of counts
_NAMES: Final = {"n": "-n", _GUESTS: "--guest", "cells": "--cells-from"}  # options that are not called like their keys
_ARGUMENTS: Final = ("command", "formula", "folders")  # no options
_RELAX: Final = "relax"  # a table, or none
_HOST: Final = "host"  # a digest
_STRUCTURES: Final = "structures"  # a list of names with fingerprints
_CONTENT: Final = "_content"  # ends the keys of digests
_MOST_NAMED: Final = 3
_LONGEST: Final = 22  # characters of a value
_LONGEST_OF_ALL: Final = 150


def differences(kept: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Return what differs between the options that a folder was made with and those that are asked for now.

    Args:
        kept: Options of the folder, tables of options among them.
        wanted: Those asked for now.

    Returns:
        The first few, such as `--fmax 0.1, now 0.01; --seed 0, now 5`; empty where nothing differs.
    """
    told = list(_each(kept, wanted))
    shown = told[:_MOST_NAMED]
    while len(shown) > 1 and len("; ".join(shown)) > _LONGEST_OF_ALL:
        shown.pop()
    return "; ".join([*shown, *(["…"] if len(shown) < len(told) else [])])


def shortened(text: str, most: int) -> str:
    """Return a text, its middle left out where it is too long.

    Args:
        text: The text.
        most: Most characters.
    """
    half = (most - 1) // 2
    return text if len(text) <= most else f"{text[:half]}…{text[-half:]}"


def _each(kept: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is said of each option that differs, those within tables by their own names."""
    for key in sorted(set(kept) | set(wanted)):
        old, new = kept.get(key), wanted.get(key)
        if old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping) and key != _GUESTS:
            yield from _each(old, new)
        elif key == _RELAX:
            yield "relaxation, now --no-relax" if new is None else "--no-relax, now relaxation"
        elif key == _HOST:
            yield "another host"
        elif key == _STRUCTURES:
            yield f"other structures: {shortened(_structures(old, new), 100)}"
        elif key.endswith(_CONTENT):
            yield f"other content of {_name(key.removesuffix(_CONTENT))}"
        else:
            yield f"{_name(key)} {_value(old)}, now {_value(new)}"


def _name(key: str) -> str:
    """Return what an option is called on the command line."""
    if key in _ARGUMENTS:
        return key
    return _NAMES.get(key, f"--{key.replace('_', '-')}")


def _structures(old: Any, new: Any) -> str:
    """Return the names of structures that are not in both lists, or are others there."""
    lists = [set(map(str, one)) if isinstance(one, list) else set() for one in (old, new)]
    return ", ".join(sorted({one.rpartition(" ")[0] or one for one in lists[0] ^ lists[1]}))


def _value(value: Any) -> str:
    """Return a value as it is given on the command line."""
    if value is None or value == []:
        return "not given"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Mapping):
        value = [f"{name}={one}" for name, one in value.items()]
    listed = isinstance(value, list) and not any(isinstance(one, (list, dict)) for one in value)
    return shortened(",".join(map(str, value)) if listed else str(value), _LONGEST)
