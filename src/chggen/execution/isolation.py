"""Whether code of others, such as calculators, is kept out of this process: it may end the process that calls it."""

from __future__ import annotations


class _Isolation:
    wanted = False


def isolate_foreign_code() -> None:
    """Keep code of others out of this process from now on, as the command line does."""
    _Isolation.wanted = True


def foreign_code_is_isolated() -> bool:
    """Return whether code of others is kept out of this process."""
    return _Isolation.wanted
