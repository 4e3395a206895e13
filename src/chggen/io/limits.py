"""Limits of options: numbers that a dataclass takes lie between two ends that its type hints name."""

from __future__ import annotations

import dataclasses
import reprlib
import typing
from dataclasses import dataclass
from typing import Any

from chggen.errors import InputError


@dataclass(frozen=True)
class Between:
    """A note on a type hint, as in `Annotated[int, Between(1, 64)]`: the number lies between two ends, ends included.

    On a tuple it holds for each of its numbers.

    Attributes:
        low: The lowest number allowed.
        high: The highest number allowed.
    """

    low: float | int
    high: float | int


def check_limits(options: Any) -> None:
    """Check the numbers of a dataclass whose type hints carry `Between`. To be called from `__post_init__`.

    Args:
        options: An instance of a dataclass.

    Raises:
        InputError: For the first number that is none or lies outside its limits, as NaN does. The message names it.
    """
    hints = typing.get_type_hints(type(options), include_extras=True)
    for field in dataclasses.fields(options):
        for note in typing.get_args(hints[field.name])[1:]:
            if isinstance(note, Between):
                value = getattr(options, field.name)
                for number in value if isinstance(value, tuple) else (value,):
                    _check(field.name, number, note)


def _check(name: str, number: Any, limits: Between) -> None:
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise InputError(f"{name} must be a number, got {reprlib.repr(number)}")
    if number < limits.low:
        raise InputError(f"{name} must be {limits.low:.10g} or more, got {reprlib.repr(number)}")
    if not number <= limits.high:  # so that NaN, which compares with nothing, is refused too
        raise InputError(f"{name} must be {limits.high:.10g} or less, got {reprlib.repr(number)}")
