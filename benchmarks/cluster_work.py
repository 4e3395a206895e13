"""What `cluster.py` has workers compute: of a module, as all that chggen sends, so that only its name is sent."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from chggen.execution import Failure


def millisecond(batch: Sequence[int], resources: Any) -> list[int]:
    """Take a millisecond."""
    time.sleep(0.001)
    return list(batch)


def lost(item: int, failure: Failure) -> list[int]:
    """What stands for an item that was lost: a number below 0."""
    return [-1 - item]
