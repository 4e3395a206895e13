"""Potentials named by a factory, SCHEME:module:factory, and the message for one that fails."""

from __future__ import annotations

import importlib
from typing import Any

from chggen.errors import InputError


def made_by_factory(name: str, scheme: str, form: str, remedy: str) -> Any:
    """Import and call the factory that a potential is named by.

    Args:
        name: `SCHEME:module:factory`.
        scheme: The scheme that the name has to begin with, such as `ase`.
        form: How such a name reads, for messages.
        remedy: What the user may have to install or change, for messages.

    Returns:
        What the factory returns.

    Raises:
        InputError: The name reads otherwise, or the factory cannot be imported or called.
    """
    parts = name.split(":")
    if len(parts) != 3 or parts[0] != scheme:
        raise InputError(f"cannot read potential '{name}'; expected {form}; write it in that form")
    try:
        return getattr(importlib.import_module(parts[1]), parts[2])()
    except (Exception, SystemExit) as error:  # whatever a foreign factory raises is the user's to read
        raise InputError(
            f"potential '{name}' cannot be made ({type(error).__name__}: {error}); expected {form}; {remedy}"
        ) from error


def failure(name: str, error: Exception) -> str:
    """Return in one line why a potential gave nothing for a crystal.

    Args:
        name: Name of the potential.
        error: What it raised.
    """
    return f"{name} failed: {next(iter(str(error).splitlines()), type(error).__name__)}"
