"""Supercells as users name them: three multiples along the axes, or the nine numbers of a matrix by rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from jaxtyping import Int

_EXPECTED = (
    "expected three multiples such as 1,1,2, or the nine numbers of a matrix by rows such as 1,1,0,-1,1,0,0,0,1, whose "
    "determinant is positive"
)


def supercell_numbers(given: Any) -> tuple[int, ...]:
    """Return a supercell as three multiples or the nine numbers of a matrix by rows.

    Args:
        given: Whole numbers, or three rows of them.

    Returns:
        The numbers; three for a matrix without others than its diagonal.

    Raises:
        ValueError: If it is none.
    """
    try:
        rows = [list(row) if isinstance(row, Iterable) else [row] for row in given]
        numbers = [int(x) for row in rows for x in row]
        whole = all(x == y for x, y in zip(numbers, (x for row in rows for x in row), strict=True))
    except (TypeError, ValueError, OverflowError):
        raise ValueError(_EXPECTED) from None
    if not whole or len(numbers) not in (3, 9) or (len(numbers) == 3 and min(numbers) < 1):
        raise ValueError(_EXPECTED)
    matrix = supercell_matrix(numbers)
    if round(float(np.linalg.det(matrix))) < 1:
        raise ValueError(_EXPECTED)
    diagonal = np.diag(matrix)
    return tuple((diagonal if (matrix == np.diag(diagonal)).all() and diagonal.min() > 0 else matrix).ravel().tolist())


def supercell_matrix(numbers: Iterable[int]) -> Int[np.ndarray, "3 3"]:
    """Return the matrix whose rows are the new axes in terms of the old ones.

    Args:
        numbers: Three multiples, or nine numbers by rows.
    """
    given = np.array(list(numbers), dtype=int)
    return np.diag(given) if given.size == 3 else given.reshape(3, 3)


def cells_in(numbers: Iterable[int]) -> int:
    """Return how many cells a supercell has.

    Args:
        numbers: Three multiples, or nine numbers by rows.
    """
    return round(float(np.linalg.det(supercell_matrix(numbers))))
