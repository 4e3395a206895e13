"""Annotations of shapes and types are checked when functions are called, for the first calls of each in every test.

What a function of a hot loop is given a thousand times is of one kind; to check it each time took a third of all tests.
"""

from __future__ import annotations

import functools
import inspect
from collections import Counter
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final

import jaxtyping

CALLS: Final = 50
"""How many calls of a function are checked in a test."""

_calls: Counter[Any] = Counter()
_jaxtyped = jaxtyping.jaxtyped


def install(package: str) -> None:
    """Check what is imported of a package from now on.

    Args:
        package: Its name.
    """
    jaxtyping.jaxtyped = _checked_at_first  # which the import hook puts on each function and class
    jaxtyping.install_import_hook(package, "beartype.beartype")


def begin_anew() -> None:
    """Check the next calls of every function, whatever was called before."""
    _calls.clear()


def _checked_at_first(thing: Any = None, *, typechecker: Any) -> Any:
    if thing is None:
        return functools.partial(_checked_at_first, typechecker=typechecker)
    if inspect.isclass(thing):
        plain = thing.__init__
        _jaxtyped(thing, typechecker=typechecker)
        if thing.__init__ is not plain:  # a dataclass, whose fields are checked
            thing.__init__ = _either(plain, thing.__init__)
        return thing
    if isinstance(thing, FunctionType) and "<locals>" in thing.__qualname__:
        return _either(thing, None, typechecker)  # made anew at each call of what it stands in
    checked = _jaxtyped(thing, typechecker=typechecker)
    return _either(thing, checked) if isinstance(checked, FunctionType) else checked


def _either(plain: Any, checked: Any, typechecker: Any = None) -> Callable[..., Any]:
    """Return a function that is checked for its first calls; what is not given of it is made when it is needed."""
    key = getattr(plain, "__code__", plain)

    @functools.wraps(plain)
    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal checked
        if _calls[key] >= CALLS:
            return plain(*args, **kwargs)
        _calls[key] += 1
        if checked is None:
            checked = _jaxtyped(plain, typechecker=typechecker)
        return checked(*args, **kwargs)

    return call
