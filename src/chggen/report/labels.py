"""Placing the labels of a picture, so that they keep off each other, off the points and off the lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Float

Line = tuple[tuple[float, float], tuple[float, float]]
_LETTER: Final = (0.0115, 0.03)  # width and height of a letter, as fractions of the picture
_GAP: Final = (0.012, 0.016)  # between a label and its point, the same
_LINE_WEIGHT: Final = 0.1  # a covered piece of a line is less of a harm than a covered point, which counts 1
_OVERLAP_WEIGHT: Final = 10.0  # a label that lies all over another one counts as much as ten covered points
_SIDES: Final = {  # of a label to its point, as plotly calls them, the better ones first: steps to the right and up
    "bottom center": (0, -1), "top center": (0, 1), "middle right": (1, 0), "middle left": (-1, 0),
    "bottom right": (1, -1), "bottom left": (-1, -1), "top right": (1, 1), "top left": (-1, 1),
}  # fmt: skip


def label_sides(points: Float[np.ndarray, "points 2"], labels: Sequence[str], lines: Sequence[Line]) -> list[str]:
    """Return on which side of its point each label stands.

    Labels are placed one after the other. Each takes the side where it covers least of the points, the lines and the
    labels before it.

    Args:
        points: Coordinates of all points, of shape (points, 2), in the units of the picture's axes.
        labels: The label of each point, empty for a point without one.
        lines: Lines of the picture, each by its two ends.

    Returns:
        The side of each label, such as `top center`, empty for a point without a label.
    """
    least, size = points.min(axis=0), np.ptp(points, axis=0)
    size[size == 0] = 1.0
    places = (points - least) / size
    along = np.linspace(0, 1, 100)[:, None]
    strokes = [(np.array(a) + along * (np.array(b) - np.array(a)) - least) / size for a, b in lines]
    ink = np.concatenate([places, *strokes])
    weight = np.r_[np.ones(len(places)), np.full(len(ink) - len(places), _LINE_WEIGHT)]
    taken: list[tuple[float, float, float, float]] = []
    sides = []
    for place, label in zip(places, labels, strict=True):
        if not label:
            sides.append("")
            continue
        width, height = _LETTER[0] * len(label), _LETTER[1]
        best, lowest = "", np.inf
        for side, (right, up) in _SIDES.items():
            x, y = place[0] + right * (width / 2 + _GAP[0]), place[1] + up * (height / 2 + _GAP[1])
            box = (x - width / 2, x + width / 2, y - height / 2, y + height / 2)
            covered = weight[((ink >= [box[0], box[2]]) & (ink <= [box[1], box[3]])).all(axis=1)].sum()
            cost = float(covered) + _OVERLAP_WEIGHT * sum(_overlap(box, other) for other in taken) / (width * height)
            if cost < lowest - 1e-9:
                best, lowest, chosen = side, cost, box
        taken.append(chosen)
        sides.append(best)
    return sides


def _overlap(one: Sequence[float], two: Sequence[float]) -> float:
    """Return the area that two boxes (left, right, bottom, top) share."""
    return max(0.0, min(one[1], two[1]) - max(one[0], two[0])) * max(0.0, min(one[3], two[3]) - max(one[2], two[2]))
