"""Shards: a run in parts that know nothing of each other, such as the tasks of a job array."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, Field

_TEXT: Final = re.compile(r"(\d{1,6})/(\d{1,6})")
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Shard:
    """One of several parts of a run. Each takes every so many-th job of the first stage, and what comes of these.

    Attributes:
        index: Which part it is, from 1.
        count: Number of parts.
    """

    index: int
    count: int

    @classmethod
    def of(cls, text: str | None) -> Shard:
        """Read a part such as `3/16`.

        Args:
            text: The part; None for all of the run.

        Raises:
            ValueError: It is none.
        """
        if text is None:
            return cls(1, 1)
        found = _TEXT.fullmatch(text.strip())
        if found is None:
            raise ValueError("expected which part of how many, such as 3/16")
        if not 1 <= int(found[1]) <= int(found[2]):
            told = f"there is no part {found[1]} of {found[2]}"
            raise ValueError(f"expected which part of how many, such as 3/16; {told}")
        return cls(int(found[1]), int(found[2]))

    def own(self, jobs: Sequence[_Item]) -> list[_Item]:
        """Return the jobs of this part.

        Args:
            jobs: The jobs of all parts.
        """
        return list(jobs[self.index - 1 :: self.count])

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def _read(given: Any) -> Any:
    return None if given is None else str(Shard.of(given))


ShardOption = Annotated[str | None, AfterValidator(_read)]
SHARD: Final = Field(
    default=None,
    description="Make one part of the run, such as 3/16 (or 1/1: all of it); `chggen merge` joins the folders. Such "
    "a run is made in one round, so that parts need not know of each other.",
)
