"""The fit of a crystal to a measured powder pattern: volume, zero shift, peak width and shape, scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from chggen.powder.peaks import Peaks
from chggen.powder.prepared import COPPER, PreparedPattern, pseudo_voigt

if TYPE_CHECKING:
    from pymatgen.core import Structure

VOLUME_RANGE: Final = 0.05  # share of the volume, either way
ZERO_RANGE: Final = 0.3  # degrees, either way, at Cu Kα
_WIDTHS: Final = (0.03, 1.0)  # degrees, FWHM, at Cu Kα
_COARSE_WIDTH: Final = (
    0.3  # degrees; so wide are peaks on the grid of volumes, so that its steps are narrow beside them
)
_VOLUMES: Final = 31  # of the grid
_EVALUATIONS: Final = 120  # of each refinement
_WORTH: Final = 0.8  # of the best overlap that the second start has to have
_APART: Final = 0.01  # share of the volume by which the second start of refinement differs from the first
_EDGES: Final = (0.004, 0.06, 0.4, 0.2)  # of the first simplex: volume, shift, log width, mixing


@dataclass(frozen=True, kw_only=True)
class Fit:
    """How a crystal fits a measured pattern.

    Attributes:
        agreement: Correlation of the measured pattern without its background and the calculated one, 1 for equal ones.
            A crystal without a reflection in the range has 0.
        r_wp: Weighted profile R, %.
        volume_factor: Multiple of the crystal's volume at which it fits best.
        zero_shift: What is added to calculated angles, degrees.
        fwhm: Full width of the peaks at half maximum, degrees.
        mixing: Share of the Lorentzian in the peaks.
        profile: Calculated intensities on the grid of the pattern, scaled to it, of shape (points,).
    """

    agreement: float
    r_wp: float
    volume_factor: float
    zero_shift: float
    fwhm: float
    mixing: float
    profile: np.ndarray


def fitted(structure: Structure, pattern: PreparedPattern) -> Fit:
    """Fit a crystal to a measured pattern.

    Peaks are those of pymatgen's XRDCalculator, in pseudo-Voigt shape. The volume is scaled by up to 5 % either way,
    all axes alike, the zero shifted by up to 0.3° either way (at Cu Kα). Volumes are tried on a grid, at each of them
    all shifts at once by a Fourier transform. From the best one, and from another one that is nearly as good, volume,
    shift, width and shape are refined by the simplex of Nelder and Mead.

    Args:
        structure: The crystal.
        pattern: The pattern.

    Returns:
        The fit of the highest agreement.
    """
    unit = pattern.wavelength / COPPER
    margin = 2 * ZERO_RANGE * unit + 2.0  # what comes in from outside when volume and zero change
    low, high = pattern.two_theta[0] - margin, pattern.two_theta[-1] + 2 * margin
    peaks = Peaks.of(structure, pattern.wavelength, low, high)
    if not len(peaks.inverse_d):
        return Fit(
            agreement=0.0, r_wp=100.0, volume_factor=1.0, zero_shift=0.0, fwhm=_COARSE_WIDTH * unit, mixing=0.5,
            profile=np.zeros_like(pattern.measured),
        )  # fmt: skip
    search = _Search(peaks, pattern, unit)
    refined = [search.refined(start) for start in search.starts()]
    return search.fit_at(max(refined, key=search.agreement))


class _Search:
    """The search for the best parameters: volume factor, zero shift and the logarithm of the width, and the mixing."""

    def __init__(self, peaks: Peaks, pattern: PreparedPattern, unit: float) -> None:
        self._peaks, self._pattern, self._unit = peaks, pattern, unit
        self._frequencies = pattern.frequencies()
        self._measured = pattern.net
        widths = np.log(np.array(_WIDTHS) * unit)
        self._low = np.array([1 - VOLUME_RANGE, -ZERO_RANGE * unit, widths[0], 0.0])
        self._high = np.array([1 + VOLUME_RANGE, ZERO_RANGE * unit, widths[1], 1.0])

    def starts(self) -> list[np.ndarray]:
        """Return the parameters of the best volume of the grid, and of the best one elsewhere."""
        pattern = self._pattern
        measured = pattern.transformed(self._measured - self._measured.mean())
        shape = pseudo_voigt(self._frequencies, _COARSE_WIDTH * self._unit, 0.5)
        reach = int(self._high[1] / pattern.step)
        found = []
        for factor in np.linspace(self._low[0], self._high[0], _VOLUMES):
            calculated = pattern.sticks(self._peaks, factor) * shape
            overlap = pattern.back(measured * np.conj(calculated))
            near = np.concatenate([overlap[len(overlap) - reach :], overlap[: reach + 1]])
            best = int(near.argmax())
            size = np.sqrt((np.abs(calculated) ** 2).sum()) or 1.0
            found.append((near[best] / size, factor, (best - reach) * pattern.step))
        found.sort(key=lambda one: -one[0])
        other = [one for one in found if abs(one[1] - found[0][1]) > _APART and one[0] > _WORTH * found[0][0]]
        width = np.log(_COARSE_WIDTH * self._unit)
        return [np.array([factor, shift, width, 0.5]) for _, factor, shift in (found[0], *other[:1])]

    def refined(self, start: np.ndarray) -> np.ndarray:
        """Return the parameters of the highest agreement near a start, within their limits."""
        from scipy.optimize import minimize

        edges = np.array(_EDGES) * [1, self._unit, 1, 1]
        inward = np.where(start + edges > self._high, -1, 1) * edges
        simplex = np.vstack([start, start + np.diag(inward)])
        found = minimize(
            self._cost, start, method="Nelder-Mead", bounds=list(zip(self._low, self._high, strict=True)),
            options={"initial_simplex": simplex, "maxfev": _EVALUATIONS, "xatol": 1e-4, "fatol": 1e-5},
        )  # fmt: skip
        return np.asarray(np.clip(found.x, self._low, self._high))

    def agreement(self, parameters: np.ndarray) -> float:
        """Return the correlation of the measured pattern and the calculated one, 0 where there is none."""
        a, b = (values - values.mean() for values in (self._measured, self._profile(parameters)))
        size = float(np.sqrt((a @ a) * (b @ b)))
        return float(a @ b) / size if size > 0 else 0.0

    def fit_at(self, parameters: np.ndarray) -> Fit:
        """Return the fit at some parameters, with its scale and a constant by weighted least squares."""
        profile, weights = self._profile(parameters), self._pattern.weights
        root = np.sqrt(weights)
        terms = np.stack([profile, np.ones_like(profile)], axis=1)
        scale = np.linalg.lstsq(terms * root[:, None], self._measured * root, rcond=None)[0]
        scaled = terms @ scale
        misfit, whole = weights @ (self._measured - scaled) ** 2, weights @ self._pattern.measured**2
        factor, shift, log_width, mixing = (float(value) for value in parameters)
        return Fit(
            agreement=self.agreement(parameters), r_wp=100 * float(np.sqrt(misfit / max(whole, 1e-300))),
            volume_factor=factor, zero_shift=shift, fwhm=float(np.exp(log_width)), mixing=mixing, profile=scaled,
        )  # fmt: skip

    def _cost(self, parameters: np.ndarray) -> float:
        return -self.agreement(parameters)

    def _profile(self, parameters: np.ndarray) -> np.ndarray:
        factor, shift, log_width, mixing = parameters
        peak = pseudo_voigt(self._frequencies, float(np.exp(log_width)), float(mixing))
        moved = peak * np.exp(-2j * np.pi * shift * self._frequencies)
        drawn = self._pattern.back(self._pattern.sticks(self._peaks, float(factor)) * moved)
        return drawn[: len(self._pattern.two_theta)]
