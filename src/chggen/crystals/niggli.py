"""The Niggli-reduced cell of a lattice, by numpy alone: training needs it where pymatgen is absent.

The reduced form is unique. The steps to it are those of Grosse-Kunstleve, Sauter & Adams, Acta Cryst. A 60, 1 (2004).
A symmetric lattice has several cells of that form, which its operations carry into each other. The one returned here is
the one that pymatgen's `Lattice.get_niggli_reduced_lattice` returns.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Float

_TOLERANCE: Final = 1e-5  # times the cube root of the volume: what counts as equal
_ANGLE: Final = 1.0  # degrees by which the angles of the returned cell may be off the reduced form
_MOST_STEPS: Final = 100
_SWAP_FIRST_TWO: Final = -np.eye(3)[[1, 0, 2]]
_SWAP_LAST_TWO: Final = -np.eye(3)[[0, 2, 1]]


def niggli_reduced(lattice: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    """Return the Niggli-reduced cell of a lattice, in the orientation of the lattice.

    The reduced cell has the three shortest vectors that span the lattice, with angles that are all acute or all not
    (Křivý & Gruber, Acta Cryst. A 32, 297, 1976). Lengths count as equal within 1e-5 of the cube root of the volume.

    Args:
        lattice: Rows are lattice vectors in Å, shape (3, 3). They may be left-handed.

    Returns:
        A right-handed cell of the same lattice, rows in Å, shape (3, 3).

    Raises:
        ValueError: If the vectors lie in one plane, or so nearly that no cell of the reduced form is found.

    Example:
        >>> niggli_reduced(np.array([[4.0, 0, 0], [8.0, 5, 0], [0, 0, 6]]))
        array([[-4.,  0.,  0.],
               [ 0., -5.,  0.],
               [ 0.,  0.,  6.]])
    """
    cell = np.asarray(lattice, dtype=np.float64)
    volume = abs(float(np.linalg.det(cell)))
    if not volume > 0:
        raise ValueError(f"expected lattice vectors that span space, got {cell.tolist()}")
    tolerance = _TOLERANCE * volume ** (1 / 3)
    short = _short_vectors(cell)
    return _cell_of_metric(cell, short, _reduced_metric(short @ short.T, tolerance), tolerance)


def _short_vectors(cell: np.ndarray) -> np.ndarray:
    """A cell (3, 3), Å, of short vectors, by the reduction of Lenstra, Lenstra & Lovász (1982).

    It comes first because the Niggli steps are many, and lose digits, on a very skewed cell.
    """
    rows = cell.copy()
    k = 1
    while k < 3:
        orthogonal, share = _gram_schmidt(rows)
        for j in range(k - 1, -1, -1):
            times = round(float(share[k, j]))
            rows[k] -= times * rows[j]
            share[k] -= times * share[j]
        squares = (orthogonal**2).sum(-1)
        if squares[k] >= (0.75 - share[k, k - 1] ** 2) * squares[k - 1]:
            k += 1
        else:
            rows[[k - 1, k]] = rows[[k, k - 1]]
            k = max(k - 1, 1)
    return rows


def _gram_schmidt(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Orthogonal vectors (3, 3), Å, and the coefficients (3, 3) of the rows along them."""
    orthogonal, share = rows.copy(), np.eye(3)
    for i, j in ((1, 0), (2, 0), (2, 1)):
        share[i, j] = rows[i] @ orthogonal[j] / (orthogonal[j] @ orthogonal[j])
        orthogonal[i] -= share[i, j] * orthogonal[j]
    return orthogonal, share


def _reduced_metric(metric: np.ndarray, tolerance: float) -> np.ndarray:
    """The metric (3, 3), Å², of the reduced form. The step numbers are those of the paper."""
    for _ in range(_MOST_STEPS):
        a, b, c, xi, eta, zeta = _characters(metric)
        if b + tolerance < a or (abs(a - b) < tolerance and abs(xi) > abs(eta) + tolerance):  # step 1
            metric = _SWAP_FIRST_TWO.T @ metric @ _SWAP_FIRST_TWO
            a, b, c, xi, eta, zeta = _characters(metric)
        if c + tolerance < b or (abs(b - c) < tolerance and abs(eta) > abs(zeta) + tolerance):  # step 2
            metric = _SWAP_LAST_TWO.T @ metric @ _SWAP_LAST_TWO
            continue
        signs = np.diag(_signs(xi, eta, zeta, tolerance))  # steps 3 and 4
        metric = signs.T @ metric @ signs
        shear = _shear(metric, tolerance)
        if shear is None:
            break
        metric = shear.T @ metric @ shear
    return metric


def _characters(metric: np.ndarray) -> tuple[float, float, float, float, float, float]:
    """The numbers that the Niggli conditions are about: a², b², c², 2 b·c, 2 a·c and 2 a·b, Å²."""
    a, b, c = np.diag(metric).tolist()
    return a, b, c, 2 * float(metric[1, 2]), 2 * float(metric[0, 2]), 2 * float(metric[0, 1])


def _signs(xi: float, eta: float, zeta: float, tolerance: float) -> list[int]:
    """The factor ±1 of each vector that makes all angles acute, or else none of them."""
    kinds = [0 if abs(x) < tolerance else (1 if x > 0 else -1) for x in (xi, eta, zeta)]
    product = kinds[0] * kinds[1] * kinds[2]
    if product == 1:
        return [-1 if kind == -1 else 1 for kind in kinds]
    factors = [-1 if kind == 1 else 1 for kind in kinds]
    if factors[0] * factors[1] * factors[2] == -1:  # the angle of 90° takes the sign that makes them a rotation
        factors[max(i for i, kind in enumerate(kinds) if kind == 0)] = -1
    return factors


def _shear(metric: np.ndarray, tolerance: float) -> np.ndarray | None:
    """The change of basis (3, 3) that shortens a vector, in steps 5 to 8, or None for the reduced form."""
    a, b, _, xi, eta, zeta = _characters(metric)
    change = np.eye(3)
    if _too_far(xi, b, zeta, eta, zeta, tolerance):  # step 5
        change[1, 2] = -np.sign(xi)
    elif _too_far(eta, a, zeta, xi, zeta, tolerance):  # step 6
        change[0, 2] = -np.sign(eta)
    elif _too_far(zeta, a, eta, xi, eta, tolerance):  # step 7
        change[0, 1] = -np.sign(zeta)
    elif (total := xi + eta + zeta + a + b) < -tolerance or abs(total) < tolerance < zeta + (a + eta) * 2:  # step 8
        change[:2, 2] = 1
    else:
        return None
    return change


def _too_far(product: float, square: float, upper: float, twice: float, lower: float, tolerance: float) -> bool:
    """Whether a vector reaches farther along another than half of it; at exactly half, the other angles decide."""
    return (
        abs(product) > square + tolerance
        or (abs(product - square) < tolerance and upper - tolerance > 2 * twice)
        or (abs(product + square) < tolerance and lower < -tolerance)
    )


def _cell_of_metric(cell: np.ndarray, short: np.ndarray, metric: np.ndarray, tolerance: float) -> np.ndarray:
    """The first right-handed cell (3, 3), Å, of the lattice whose lengths and angles are those of the metric."""
    lengths = np.sqrt(np.diag(metric))
    points = _points_within(cell, short, float(lengths.max()) * (1 + tolerance))
    vectors = points @ cell
    size = np.linalg.norm(vectors, axis=-1)
    ratios = [size / length for length in lengths]
    a, b, c = (np.flatnonzero((ratio < 1 + tolerance) & (ratio > 1 / (1 + tolerance))) for ratio in ratios)

    def fits(first: np.ndarray, second: np.ndarray, i: int, j: int) -> np.ndarray:
        """Whether each pair of vectors includes the angle of vectors i and j of the reduced form."""
        cosine = vectors[first] @ vectors[second].T / size[first][:, None] / size[second]
        wanted = np.degrees(np.arccos(metric[i, j] / lengths[i] / lengths[j]))
        alike: np.ndarray = np.abs(np.degrees(np.arccos(cosine.clip(-1, 1))) - wanted) <= _ANGLE
        return alike

    fitting = fits(a, b, 0, 1)[:, :, None] & fits(a, c, 0, 2)[:, None, :] & fits(b, c, 1, 2)[None]
    which = np.argwhere(fitting)
    found = np.stack([a[which[:, 0]], b[which[:, 1]], c[which[:, 2]]], axis=-1)
    determinant = np.linalg.det(points[found])
    proper, improper = np.flatnonzero(determinant > 0.5), np.flatnonzero(determinant < -0.5)
    if not len(proper) + len(improper):
        raise ValueError(f"no cell of the Niggli form was found in the lattice {cell.tolist()}")
    chosen: np.ndarray = vectors[found[proper[0] if len(proper) else improper[0]]]
    return chosen if np.linalg.det(chosen) > 0 else -chosen


def _points_within(cell: np.ndarray, short: np.ndarray, radius: float) -> np.ndarray:
    """The integer coordinates (points, 3), in the cell, of lattice points up to radius (Å) from the origin.

    They are looked for along the short vectors, which span the same lattice. They come in the order of pymatgen's
    search: by octant, and in each octant by falling coordinates. The order decides which of the equivalent cells is
    returned.
    """
    most = np.ceil(radius * np.linalg.norm(np.linalg.inv(short), axis=0))
    box = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in most), indexing="ij"), axis=-1).reshape(-1, 3)
    points = box @ np.rint(short @ np.linalg.inv(cell))
    vectors = points @ cell
    near = (vectors**2).sum(-1) < radius**2 + 1e-8
    points, vectors = points[near], vectors[near]
    octant = (vectors > -2e-8) @ np.array([4, 2, 1])  # a coordinate of 0 counts as positive whatever its rounding
    ordered: np.ndarray = points[np.lexsort((*-points.T[::-1], octant))]
    return ordered
