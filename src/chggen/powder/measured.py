"""Measured powder patterns: what they are, and reading them from text."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from chggen.errors import InputError
from chggen.io import read_text

_LEAST_POINTS: Final = 50
_COMMENT: Final = re.compile(r"^\s*(?:[#!;%*'\"/]|$)")
_NUMBER: Final = re.compile(r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$")
_OTHER_AXIS: Final = re.compile(r"\bd\b|d[-_ ]?spacing|\bq\b|1/Å|1/A\b|Å\^?-1", re.IGNORECASE)
_AXIS: Final = re.compile(r"theta|2θ|2th|tth|angle", re.IGNORECASE)
_WORDS: Final = 6  # of a heading of columns; a longer line is a remark
_REMEDY: Final = "expected 2θ in degrees and intensity on each line"


@dataclass(frozen=True, eq=False)
class PowderPattern:
    """A measured powder pattern.

    Attributes:
        two_theta: Diffraction angles 2θ in degrees, of shape (points,), increasing.
        intensity: Intensities in any unit, of shape (points,), none below zero.
        name: What it is called in messages and results.
    """

    two_theta: np.ndarray
    intensity: np.ndarray
    name: str = "the pattern"

    def __post_init__(self) -> None:
        x, y = self.two_theta, self.intensity
        if x.ndim != 1 or x.shape != y.shape:
            raise InputError(f"{self.name} has shapes {x.shape} and {y.shape}; expected two columns of equal length")
        if len(x) < _LEAST_POINTS:
            raise InputError(
                f"{self.name} has {len(x)} points; expected a whole measured profile of at least {_LEAST_POINTS}, "
                "no list of peaks"
            )
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            raise InputError(f"{self.name} has values that are not finite; {_REMEDY}; remove those lines")
        steps = np.diff(x)
        if (steps < 0).all():
            raise InputError(
                f"the first column of {self.name} falls from {x[0]:g} to {x[-1]:g}; {_REMEDY}, increasing; d spacings "
                "become 2θ by 2 arcsin(λ / 2d)"
            )
        if (steps <= 0).any():
            k = int(np.flatnonzero(steps <= 0)[0])
            raise InputError(
                f"2θ of {self.name} does not increase: {x[k]:g} is followed by {x[k + 1]:g}; sort the lines, and keep "
                "one scan of several"
            )
        if x[0] < 0 or x[-1] > 180:
            raise InputError(f"{self.name} goes from {x[0]:g} to {x[-1]:g}; expected 2θ between 0 and 180 degrees")
        if (y < 0).any():
            raise InputError(
                f"{self.name} has {int((y < 0).sum())} negative intensities, the lowest {y.min():g}; expected counts "
                "as they were measured; undo the subtraction of a background, or add a constant"
            )
        if np.ptp(y) == 0:
            raise InputError(f"all intensities of {self.name} are {y[0]:g}; expected a measured profile with peaks")


def as_pattern(given: Any) -> PowderPattern:
    """Return a powder pattern of what was given for one.

    Args:
        given: A pattern, a file of one (see `read_pattern`), or an array of shape (points, 2) of 2θ in degrees and
            intensity.

    Returns:
        The pattern.

    Raises:
        InputError: It cannot be read, or is no pattern.
    """
    if isinstance(given, PowderPattern):
        return given
    if isinstance(given, (str, os.PathLike)):
        return read_pattern(Path(given))
    try:
        columns = np.asarray(given, float)
    except (TypeError, ValueError):
        columns = np.zeros(0)
    if columns.ndim != 2 or columns.shape[1] not in (2, 3):
        raise InputError(
            f"expected a powder pattern: a file, or an array of 2θ and intensity of shape (points, 2), got "
            f"{type(given).__name__} of shape {columns.shape}"
        )
    return PowderPattern(columns[:, 0], columns[:, 1])


def read_pattern(path: Path) -> PowderPattern:
    """Read a measured powder pattern from text: `.xy`, `.xye`, `.csv`, `.dat` and the like.

    Each line holds 2θ in degrees and the intensity, parted by blanks, tabs, commas or semicolons. A third column, the
    errors of `.xye`, is left out. Lines that begin with `#`, `!`, `;`, `%`, `*`, `/` or a quote are comments; lines
    before the first number are a heading. A decimal comma is understood where columns are parted by tabs or semicolons.

    Args:
        path: The file, which may be compressed by gzip, bzip2 or xz.

    Returns:
        The pattern.

    Raises:
        InputError: The file cannot be read, or is no pattern.
    """
    if not path.is_file():
        raise InputError(f"no file at {path}; expected a powder pattern such as pattern.xy; check the path")
    rows: list[list[float]] = []
    heading: list[str] = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        values = _numbers(line)
        if values is not None:
            rows.append(values)
        elif not rows:
            heading.append(line)
        elif not _COMMENT.match(line):
            raise InputError(f"line {number} of {path} is {line.strip()[:40]!r}; {_REMEDY}, comments behind #")
    _check_heading(path, heading)
    widths = {len(row) for row in rows}
    if not rows:
        raise InputError(f"{path} has no line of two numbers; {_REMEDY}, as text; export binary formats as .xy")
    if not widths <= {2, 3} or len(widths) > 1:
        odd = next(len(row) for row in rows if len(row) not in (2, 3) or len(widths) > 1)
        columns = f"lines of {' and '.join(map(str, sorted(widths)))} numbers" if len(widths) > 1 else f"{odd} columns"
        raise InputError(f"{path} has {columns}; {_REMEDY}, a third column for errors at most; export it as .xy")
    table = np.array(rows)
    return PowderPattern(table[:, 0], table[:, 1], path.name)


def _numbers(line: str) -> list[float] | None:
    """Return the numbers of a line; None where it holds anything else, or nothing."""
    if _COMMENT.match(line):
        return None
    parted = ";" in line or "\t" in line.strip()
    words = line.replace(",", ".").replace(";", " ").split() if parted and "," in line and "." not in line else None
    words = words or re.split(r"[,;\s]+", line.strip(" \t,;"))
    return [float(word) for word in words] if all(_NUMBER.match(word) for word in words) else None


def _check_heading(path: Path, heading: list[str]) -> None:
    """Refuse a file whose heading says that the first column is no angle."""
    for line in heading:
        if _OTHER_AXIS.search(line) and not _AXIS.search(line) and len(line.split()) <= _WORDS:
            raise InputError(
                f"the heading {line.strip()[:40]!r} of {path} names no 2θ; {_REMEDY}; d spacings become 2θ by "
                "2 arcsin(λ / 2d), q by 2 arcsin(λ q / 4π)"
            )
