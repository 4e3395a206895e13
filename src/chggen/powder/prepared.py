"""Measured patterns made ready to be fitted: on an even grid, the background taken off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from chggen.errors import InputError
from chggen.powder.background import background
from chggen.powder.measured import PowderPattern
from chggen.powder.peaks import Peaks

COPPER: Final = 1.54184  # Å; the angles named in this package are those of Cu Kα and grow with the wavelength
_LEAST_D: Final = 1.09  # Å; reflections of closer planes (beyond 90° of Cu Kα) suffer most from a strained cell
_LARGEST_D: Final = 3.0  # Å; a pattern has to reach planes as close as this
_MOST_POINTS: Final = 3000
_MARGIN: Final = 3.0  # degrees, empty, at the end of the grid, so that the ends do not meet in a Fourier transform


@dataclass(frozen=True, eq=False)
class PreparedPattern:
    """A measured pattern on an even grid, and the profiles of crystals on it.

    Attributes:
        two_theta: The grid, 2θ in degrees, of shape (points,).
        measured: Measured intensities, of shape (points,).
        background: Their background, of shape (points,).
        wavelength: Wavelength in Å.
    """

    two_theta: np.ndarray
    measured: np.ndarray
    background: np.ndarray
    wavelength: float

    @classmethod
    def of(cls, pattern: PowderPattern, wavelength: float) -> PreparedPattern:
        """Prepare a measured pattern.

        Each point of the grid is the mean of what was measured around it. Reflections of planes closer than 1.09 Å are
        left out.

        Args:
            pattern: The pattern.
            wavelength: Wavelength in Å.

        Raises:
            InputError: The pattern ends at so small an angle that its first column is hardly 2θ.
        """
        x, y = np.asarray(pattern.two_theta, float), np.asarray(pattern.intensity, float)
        reached = wavelength / 2 / np.sin(np.radians(x[-1] / 2))
        if reached > _LARGEST_D:
            raise InputError(
                f"{pattern.name} ends at {x[-1]:g}, which as 2θ at {wavelength:g} Å reaches planes {reached:.2f} Å "
                f"apart; expected degrees up to planes {_LARGEST_D:g} Å apart; convert d spacings or q to 2θ, or set "
                "the wavelength"
            )
        last = np.degrees(2 * np.arcsin(min(1.0, wavelength / 2 / _LEAST_D)))
        end = min(x[-1], last) if x[0] < last else x[-1]
        step = max(float(np.median(np.diff(x))), (end - x[0]) / _MOST_POINTS)
        grid = np.arange(x[0], end + step / 2, step)
        area = np.concatenate([[0.0], np.cumsum(np.diff(x) * (y[1:] + y[:-1]) / 2)])
        edges = np.clip(np.append(grid - step / 2, grid[-1] + step / 2), x[0], x[-1])
        binned = np.diff(np.interp(edges, x, area)) / np.maximum(np.diff(edges), 1e-12)
        return cls(grid, binned, background(binned, step, wavelength / COPPER), wavelength)

    @property
    def step(self) -> float:
        """Distance of the grid's points in degrees."""
        return float(self.two_theta[1] - self.two_theta[0])

    @property
    def net(self) -> np.ndarray:
        """Measured intensities without the background, of shape (points,)."""
        return np.asarray(self.measured - self.background)

    @property
    def weights(self) -> np.ndarray:
        """Weights of the points, one over the variance of counts, adding up to one, of shape (points,)."""
        weights = 1 / np.maximum(self.measured, self.measured.max() * 1e-6)
        return np.asarray(weights / weights.sum())

    @property
    def length(self) -> int:
        """Number of points of a Fourier transform."""
        return int(next_fast_len(len(self.two_theta) + int(_MARGIN / self.step), real=True))

    def frequencies(self) -> np.ndarray:
        """Return the frequencies of a Fourier transform, 1/degree."""
        return np.fft.rfftfreq(self.length, self.step)

    def transformed(self, values: np.ndarray) -> np.ndarray:
        """Return the Fourier transform of values on the grid.

        Args:
            values: Values of shape (points,).
        """
        return np.asarray(rfft(values, self.length))

    def back(self, transform: np.ndarray) -> np.ndarray:
        """Return the values, of shape (length,), of a Fourier transform. The first ones are those on the grid.

        Args:
            transform: What `transformed` returns.
        """
        return np.asarray(irfft(transform, self.length))

    def sticks(self, peaks: Peaks, volume_factor: float) -> np.ndarray:
        """Return the Fourier transform of a crystal's peaks without width.

        Args:
            peaks: Peaks of the crystal.
            volume_factor: Multiple of its volume.
        """
        place, height = peaks.at_volume(volume_factor)
        at = (place - self.two_theta[0]) / self.step
        below = np.floor(at).astype(int)
        inside = (below >= 0) & (below < len(self.two_theta) - 1)
        below, share, height = below[inside], (at - below)[inside], height[inside]
        n = self.length
        drawn = np.bincount(below, height * (1 - share), n) + np.bincount(below + 1, height * share, n)
        return np.asarray(rfft(drawn))


def pseudo_voigt(frequencies: np.ndarray, fwhm: float, mixing: float) -> np.ndarray:
    """Return the Fourier transform of a pseudo-Voigt peak of area one: a Lorentzian and a Gaussian of the same width.

    Args:
        frequencies: Frequencies, 1/degree.
        fwhm: Full width at half maximum, degrees.
        mixing: Share of the Lorentzian.
    """
    lorentzian = np.exp(-np.pi * fwhm * frequencies)
    gaussian = np.exp(-((np.pi * fwhm * frequencies) ** 2) / (4 * np.log(2)))
    return np.asarray(mixing * lorentzian + (1 - mixing) * gaussian)
