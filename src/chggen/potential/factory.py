"""Potentials named by a factory: SCHEME:module:factory, and what is said of one that fails."""

from __future__ import annotations

import importlib
from typing import Any

from chggen.errors import InputError


def made_by_factory(name: str, scheme: str, form: str, remedy: str) -> Any:
    """What `factory()` of `SCHEME:module:factory` gives. Raises InputError when it cannot be imported or called.

    form: how such a name reads; remedy: what may be missing.
    """
    parts = name.split(":")
    if len(parts) != 3 or parts[0] != scheme:
        raise InputError(f"cannot read potential '{name}'; expected {form}; write it in that form")
    try:
        return getattr(importlib.import_module(parts[1]), parts[2])()
    except Exception as error:  # whatever a foreign factory raises is the user's to read
        raise InputError(
            f"potential '{name}' cannot be made ({type(error).__name__}: {error}); expected {form}; {remedy}"
        ) from error


def failure(name: str, error: Exception) -> str:
    """Why a potential gave nothing for a crystal, in one line."""
    return f"{name} failed: {next(iter(str(error).splitlines()), type(error).__name__)}"
