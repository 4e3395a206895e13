"""InputError, the exception for input that cannot be used."""

from __future__ import annotations


class InputError(ValueError):
    """Input from the user that cannot be used.

    The message is one sentence that says what is wrong, what was expected, what was given, and what to do about it.
    The command line prints the message and exits with status 2.
    """
