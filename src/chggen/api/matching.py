"""Candidates against a measured powder pattern: `match`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import numpy as np

from chggen.api.arguments import Files
from chggen.powder import PowderMatch, PowderPattern, as_pattern, match_candidates, write_match
from chggen.results import Candidate, read_candidates


def match(
    candidates: Iterable[Candidate] | Files, pattern: PowderPattern | np.ndarray | Files, *,
    wavelength: str | float = "CuKa", out: Files | None = None,
) -> list[PowderMatch]:  # fmt: skip
    """Rank candidates by their agreement with a measured powder pattern.

    Peaks are pymatgen's, in pseudo-Voigt shape; the background is taken off the pattern. For each candidate the volume
    is fitted within 5 %, the zero shift within 0.3°, width, shape and scale.

    Args:
        candidates: Candidates of a run, or its results folder. Failed ones and duplicates are left out.
        pattern: A file of 2θ in degrees and intensity (`.xy`, `.xye`, `.csv`, `.dat`), an array of shape (points, 2),
            or a `chggen.powder.PowderPattern`.
        wavelength: Name of a radiation that pymatgen knows, such as `CuKa` or `MoKa1`, or wavelength in Å.
        out: Folder for `match.json`. None: the results folder, if one is given.

    Returns:
        The matches, the best first: `.candidate`, `.agreement`, `.r_wp`, `.volume_factor`, `.zero_shift`, `.fwhm`.

    Raises:
        InputError: For input that cannot be used, in one sentence.

    Example:
        >>> chggen.match("runs/TiO2", "pattern.xy")[0].candidate.structure  # doctest: +SKIP
    """
    measured = as_pattern(pattern)
    folder = Path(candidates) if isinstance(candidates, (str, os.PathLike)) else None
    given = cast("Iterable[Candidate]", candidates) if folder is None else read_candidates(folder)
    found = match_candidates(given, measured, wavelength)
    target = folder if out is None else Path(out)
    if target is not None:
        write_match(found, measured, wavelength, target)
    return found
