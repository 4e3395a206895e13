"""The Niggli reduction: the same cells as pymatgen's, which it replaces, and the conditions of the reduced form."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice

from chggen.crystals.lattice import lattice_from_parameters
from chggen.crystals.niggli import niggli_reduced

_SQUARE_ROOTS = (
    2**0.5,
    1.5**0.5,
    (8 / 3) ** 0.5,
)  # c/a of tetragonal and hexagonal cells that are cubic or close packed
_CENTRINGS = {
    "P": np.eye(3),
    "F": np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]),
    "I": np.array([[-0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.5, -0.5]]),
    "C": np.array([[0.5, 0.5, 0], [-0.5, 0.5, 0], [0, 0, 1]]),
    "R": np.array([[2, 1, 1], [-1, 1, 1], [-1, -2, 1]]) / 3,
    "doubled": np.diag([1.0, 1, 2]),
}


def _parameters(rng: np.random.Generator) -> tuple[float, ...]:
    """Lengths and angles of a random cell of a random family, many of them on the border between two."""
    a, b, c = rng.uniform(3, 9, 3)
    choices: list[tuple[float, ...]] = [
        (4, 4, 4, 90, 90, 90),
        (4, 4, 4, 60, 60, 60),
        (4, 4, 4, *[np.degrees(np.arccos(-1 / 3))] * 3),
        (4, 4, c, 90, 90, 120),
        (4, 4, c, 90, 90, 90),
        (4, 4, 4 * rng.choice(_SQUARE_ROOTS), 90, 90, rng.choice([90, 120])),
        (a, a, a, *[rng.uniform(40, 118)] * 3),
        (a, b, c, 90, 90, 90),
        (a, b, c, 90, rng.choice([90.001, 90.3, 89.6, 91.2, rng.uniform(60, 120)]), 90),
        (a, b, c, *rng.uniform(70, 110, 3)),
        (*rng.choice([3, 4, 5], 3), *rng.choice([60, 90, 110, 120, 75.5224878, 104.4775122], 3)),
    ]
    return choices[rng.integers(len(choices))]


def _other_basis(rng: np.random.Generator) -> np.ndarray:
    """A random unimodular matrix (3, 3): the same lattice in a basis that may be very skewed or left-handed."""
    change = np.eye(3)
    for _ in range(rng.integers(0, 8)):
        i, j = rng.choice(3, 2, replace=False)
        change[i] += rng.integers(-2, 3) * change[j]
    return change[rng.permutation(3)]


def _random_cell(rng: np.random.Generator) -> np.ndarray:
    """A cell (3, 3), Å, that may be centred, skewed, turned, left-handed, rounded or nearly symmetric."""
    while True:
        with np.errstate(invalid="ignore"):  # three angles may not fit together
            cell = lattice_from_parameters(np.array(_parameters(rng)))
        if np.isfinite(cell).all() and abs(np.linalg.det(cell)) > 3:
            break
    cell = _other_basis(rng) @ rng.choice(list(_CENTRINGS.values())) @ cell
    if rng.random() < 0.3:
        cell = cell @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
    if rng.random() < 0.3:
        cell = cell + rng.normal(size=(3, 3)) * 10 ** rng.uniform(-9, -2)
    if rng.random() < 0.3:
        cell = np.round(cell, rng.integers(2, 8))
    return cell


def test_cells_are_those_of_pymatgen() -> None:
    rng = np.random.default_rng(0)
    for _ in range(1000):
        cell = _random_cell(rng)
        expected = Lattice(cell).get_niggli_reduced_lattice(tol=1e-5).matrix
        assert np.abs(niggli_reduced(cell) - expected).max() < 1e-9, cell.tolist()


def test_reduction_keeps_the_lattice() -> None:
    rng = np.random.default_rng(1)
    for _ in range(100):
        cell = _random_cell(rng)
        reduced = niggli_reduced(cell)
        change = reduced @ np.linalg.inv(cell)
        assert np.allclose(change, np.round(change), atol=1e-8)
        assert abs(np.linalg.det(change)) == pytest.approx(1.0)
        assert np.linalg.det(reduced) > 0
        lengths = np.linalg.norm(reduced, axis=1)
        assert np.all(np.diff(lengths) > -1e-3)
        assert lengths.max() <= np.linalg.norm(cell, axis=1).max() + 1e-3


def test_vectors_in_one_plane_are_refused() -> None:
    with pytest.raises(ValueError, match="vectors that span space"):
        niggli_reduced(np.array([[4.0, 0, 0], [0, 4.0, 0], [4.0, 4.0, 0]]))
