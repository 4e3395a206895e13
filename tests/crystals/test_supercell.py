"""Supercells as users name them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chggen.crystals import cells_in, supercell_matrix, supercell_numbers


@pytest.mark.parametrize(
    ("given", "numbers", "cells"),
    [
        ((2, 1, 3), (2, 1, 3), 6),
        ([2.0, 1.0, 3.0], (2, 1, 3), 6),
        (np.array([[1, 1, 0], [-1, 1, 0], [0, 0, 1]]), (1, 1, 0, -1, 1, 0, 0, 0, 1), 2),
        ((2, 1, 0, -1, 1, 0, 0, 0, 1), (2, 1, 0, -1, 1, 0, 0, 0, 1), 3),
        ([[2, 0, 0], [0, 2, 0], [0, 0, 1]], (2, 2, 1), 4),
        ((-1, 0, 0, 0, -1, 0, 0, 0, 1), (-1, 0, 0, 0, -1, 0, 0, 0, 1), 1),
    ],
)
def test_multiples_and_matrices(given: Any, numbers: tuple[int, ...], cells: int) -> None:
    found = supercell_numbers(given)
    assert found == numbers
    assert cells_in(found) == cells
    assert supercell_matrix(found).shape == (3, 3)
    assert round(float(np.linalg.det(supercell_matrix(found)))) == cells


@pytest.mark.parametrize(
    "given",
    [
        (2, 2), (0, 1, 1), (1, -1, 1), (1.5, 1, 1), 2, None, "2x2",
        (0, 1, 0, 1, 0, 0, 0, 0, 1), (1, 1, 0, 1, 1, 0, 0, 0, 0),
    ],
)  # fmt: skip
def test_what_is_none_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="expected three multiples such as 1,1,2, or the nine numbers"):
        supercell_numbers(given)
