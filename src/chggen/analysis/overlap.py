"""How alike two distributions are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Return what lies below both of two distributions over what lies below either: 1 for the same, 0 for none.

    Args:
        a: Values of one, none below 0.
        b: Values of the other at the same places.
    """
    either = float(np.maximum(a, b).sum())
    return float(np.minimum(a, b).sum()) / either if either else 1.0


def shares_overlap(a: Mapping[str, float], b: Mapping[str, float]) -> float:
    """Return how much of the shares of two distributions over names is the same, 0 to 1.

    Args:
        a: Name to share, of one.
        b: Name to share, of the other.
    """
    return sum(min(a.get(name, 0.0), b.get(name, 0.0)) for name in {*a, *b})
