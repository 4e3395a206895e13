"""The smooth part of a measured pattern: background, amorphous humps."""

from __future__ import annotations

from typing import Final

import numpy as np

_PERIOD: Final = 6.0  # degrees; what varies over longer ones is background, over shorter ones is peaks
_ITERATIONS: Final = 30
_CONVERGED: Final = 0.01  # relative change of the weights


def background(intensity: np.ndarray, step: float, unit: float = 1.0) -> np.ndarray:
    """Return the background of a pattern by reweighted penalized least squares (arPLS).

    A smooth curve is fitted again and again, each time with less weight for points that lie above it by more than the
    noise below it explains (Baek *et al.*, Analyst 140, 250, 2015).

    Args:
        intensity: Intensities on an even grid, of shape (points,), none below zero.
        step: Distance of the grid's points in degrees.
        unit: Wavelength over that of Cu Kα, with which peaks become wider.

    Returns:
        The background, of shape (points,).
    """
    from scipy.linalg import solveh_banded

    stiffness = (_PERIOD * unit / (2 * np.pi * step)) ** 4
    bands = stiffness * _second_differences(len(intensity))
    weights = np.ones_like(intensity)
    curve = intensity
    for _ in range(_ITERATIONS):
        matrix = bands.copy()
        matrix[2] += weights
        curve = solveh_banded(matrix, weights * intensity)
        above = intensity - curve
        below = above[above < 0]
        if not len(below) or below.std() == 0:
            break
        exponent = 2 * (above - (2 * below.std() - below.mean())) / below.std()
        renewed = 1 / (1 + np.exp(np.clip(exponent, -50, 50)))
        change = float(np.abs(renewed - weights).sum() / weights.sum())
        weights = renewed
        if change < _CONVERGED:
            break
    return np.asarray(np.clip(curve, 0, None))


def _second_differences(points: int) -> np.ndarray:
    """Return the upper bands, of shape (3, points), of DᵀD, where D takes second differences of so many points."""
    bands = np.zeros((3, points))
    for offset, products in enumerate(((1, 4, 1), (-2, -2), (1,))):
        for k, product in enumerate(products):
            first = k + offset  # column of the matrix that this product of two entries of a row of D adds to
            bands[2 - offset, first : first + points - 2] += product
    return bands
