"""The error that input raises which cannot be used."""

from __future__ import annotations


class InputError(ValueError):
    """Input that cannot be used: the message says what, what was expected, what came, and the remedy."""
