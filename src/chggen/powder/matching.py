"""Candidates of a run ranked by their agreement with a measured powder pattern."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from chggen.errors import InputError
from chggen.io import writable_folder, write_text
from chggen.powder.fitting import Fit, fitted
from chggen.powder.measured import PowderPattern
from chggen.powder.prepared import PreparedPattern
from chggen.powder.radiation import wavelength_of
from chggen.results import Candidate

MATCH_FILE: Final = "match.json"
"""File of a results folder that holds how its candidates agree with a measured pattern."""
_DRAWN: Final = 3  # candidates whose calculated patterns are kept
_DIGITS: Final = 5


@dataclass(frozen=True, kw_only=True)
class PowderMatch:
    """How a candidate agrees with a measured powder pattern.

    Attributes:
        candidate: The candidate.
        fit: Its best fit.
        pattern: The measured pattern, prepared.
    """

    candidate: Candidate
    fit: Fit = field(repr=False)
    pattern: PreparedPattern = field(repr=False)

    @property
    def id(self) -> str:
        """Id of the candidate."""
        return self.candidate.id

    @property
    def agreement(self) -> float:
        """Correlation of measured and calculated pattern (`Fit.agreement`)."""
        return self.fit.agreement

    @property
    def r_wp(self) -> float:
        """Weighted profile R, %, of the pattern without its background."""
        return self.fit.r_wp

    @property
    def volume_factor(self) -> float:
        """Multiple of the candidate's volume at which it fits best."""
        return self.fit.volume_factor

    @property
    def zero_shift(self) -> float:
        """What is added to calculated angles, degrees."""
        return self.fit.zero_shift

    @property
    def fwhm(self) -> float:
        """Full width of the peaks at half maximum, degrees."""
        return self.fit.fwhm

    def __repr__(self) -> str:
        c = self.candidate
        return f"PowderMatch({c.id}: {c.formula}, agreement {self.agreement:.3f}, volume × {self.volume_factor:.3f})"


def match_candidates(
    candidates: Iterable[Candidate], pattern: PowderPattern, wavelength: str | float = "CuKa"
) -> list[PowderMatch]:
    """Rank candidates by their agreement with a measured powder pattern.

    Args:
        candidates: Candidates of a run. Failed ones and duplicates are left out.
        pattern: The measured pattern.
        wavelength: Name of a radiation that pymatgen knows, or wavelength in Å.

    Returns:
        The matches, the best first.

    Raises:
        InputError: No candidate is left, the wavelength is unknown, or the pattern reaches too small an angle.
    """
    prepared = PreparedPattern.of(pattern, wavelength_of(wavelength))
    found = [
        PowderMatch(candidate=c, fit=fitted(c.structure, prepared), pattern=prepared)
        for c in candidates
        if c.status == "ok" and c.duplicate_of is None and c.structure is not None
    ]
    if not found:
        raise InputError("no good candidate to match with a pattern; expected a run that made at least one")
    return sorted(found, key=lambda match: (-round(match.agreement, 6), match.id))


def match_rows(matches: Sequence[PowderMatch]) -> list[dict[str, Any]]:
    """Return a row of plain values for each match.

    Args:
        matches: Matches, the best first.

    Returns:
        The rows: `rank`, `id`, `formula`, `space_group` (at 0.1 Å), `agreement`, `r_wp` (%), `volume_factor`,
        `zero_shift` and `fwhm` (degrees), `e_decomposition` (eV/atom).
    """
    return [
        {
            "rank": rank,
            "id": match.id,
            "formula": match.candidate.formula,
            "space_group": match.candidate.space_group_loose,
            **{
                name: round(getattr(match, name), _DIGITS)
                for name in ("agreement", "r_wp", "volume_factor", "zero_shift", "fwhm")
            },
            "e_decomposition": match.candidate.deciding_e_d,
        }
        for rank, match in enumerate(matches, 1)
    ]


def write_match(matches: Sequence[PowderMatch], pattern: PowderPattern, wavelength: str | float, folder: Path) -> Path:
    """Write matches to match.json, with the measured pattern and what the best three candidates give.

    Intensities are in % of the highest one that was measured; calculated ones are without the background.

    Args:
        matches: Matches, the best first.
        pattern: The measured pattern.
        wavelength: The wavelength as it was given.
        folder: Folder for the file.

    Returns:
        The path of the file.
    """
    prepared = matches[0].pattern
    percent = 100 / prepared.measured.max()
    said = {
        "pattern": pattern.name,
        "wavelength": wavelength,
        "wavelength_angstrom": prepared.wavelength,
        "matches": match_rows(matches),
        "two_theta": _rounded(prepared.two_theta, 4),
        "measured": _rounded(prepared.measured * percent, 3),
        "background": _rounded(prepared.background * percent, 3),
        "calculated": {match.id: _rounded(match.fit.profile * percent, 3) for match in matches[:_DRAWN]},
    }
    write_text(writable_folder(folder) / MATCH_FILE, json.dumps(said) + "\n")
    return folder / MATCH_FILE


def _rounded(values: np.ndarray, digits: int) -> list[float]:
    return [float(value) for value in np.round(values, digits)]
