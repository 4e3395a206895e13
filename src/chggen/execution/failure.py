"""What is said of an item that could not be computed, and at which stage that was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from chggen.errors import InputError, one_line
from chggen.execution.watch import TookTooLongError

_STAGE = "chggen_stage"  # attribute of an exception: the stage that raised it


@dataclass(frozen=True)
class Failure:
    """Why an item could not be computed.

    Attributes:
        reason: What happened, in one line.
        stage: The innermost stage (`at_stage`) in which it happened; None where none was named.
    """

    reason: str
    stage: str | None = None

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Return what is said of an exception.

        Args:
            error: Any exception.
        """
        text = one_line(str(error))
        named = type(error).__name__
        plain = isinstance(error, (InputError, TookTooLongError))
        reason = text if plain and text else f"{named}: {text}" if text else named
        return cls(one_line(reason), getattr(error, _STAGE, None))


class _Stages:
    """The stages that this process is in, the innermost last, and who is told when that changes."""

    def __init__(self) -> None:
        self.open: list[str] = []
        self.told: Callable[[str | None], None] = lambda stage: None

    def changed(self) -> None:
        self.told(self.open[-1] if self.open else None)


_stages = _Stages()


@contextmanager
def at_stage(name: str) -> Iterator[None]:
    """Say which stage of a candidate is computed in a block, so that a failure there is recorded as one of it.

    Args:
        name: The stage, such as `sample`.
    """
    _stages.open.append(name)
    _stages.changed()
    try:
        yield
    except BaseException as error:
        if not hasattr(error, _STAGE) and hasattr(error, "__dict__"):
            setattr(error, _STAGE, name)
        raise
    finally:
        _stages.open.pop()
        _stages.changed()


def tell_stages(told: Callable[[str | None], None]) -> None:
    """Have the stages of this process told to somebody who outlives it.

    Args:
        told: Called with the innermost stage whenever that changes.
    """
    _stages.told = told
