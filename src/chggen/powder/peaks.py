"""Peaks of a crystal, and the profile that they make at another volume, zero shift and width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass(frozen=True, eq=False)
class Peaks:
    """The reflections of a crystal.

    Attributes:
        inverse_d: Inverse lattice spacings 1/d, 1/Å, of shape (peaks,).
        strength: Intensities without the Lorentz-polarisation factor, of shape (peaks,).
        wavelength: Wavelength in Å.
    """

    inverse_d: np.ndarray
    strength: np.ndarray
    wavelength: float

    @classmethod
    def of(cls, structure: Structure, wavelength: float, lowest: float, highest: float) -> Peaks:
        """Compute the reflections of a crystal by pymatgen.

        Args:
            structure: The crystal.
            wavelength: Wavelength in Å.
            lowest: Lowest 2θ in degrees.
            highest: Highest 2θ in degrees.
        """
        from pymatgen.analysis.diffraction.xrd import XRDCalculator

        bare = structure.copy()
        bare.remove_oxidation_states()
        calculator = XRDCalculator(wavelength)
        try:
            found = calculator.get_pattern(bare, scaled=False, two_theta_range=(max(lowest, 0.0), min(highest, 179.0)))
        except ValueError:  # of no reflection at all in this range
            return cls(np.zeros(0), np.zeros(0), wavelength)
        inverse_d = 1 / np.asarray(found.d_hkls, float)
        strength = np.asarray(found.y, float)
        theta = np.arcsin(np.clip(wavelength * inverse_d / 2, 0, 1))
        return cls(inverse_d, strength / _lorentz_polarisation(theta), wavelength)

    def at_volume(self, factor: float) -> tuple[np.ndarray, np.ndarray]:
        """Return 2θ in degrees and intensities at a multiple of the volume, both of shape (peaks that are left,).

        Args:
            factor: Multiple of the volume of the crystal.
        """
        sine = self.wavelength * self.inverse_d / 2 / factor ** (1 / 3)
        kept = sine < 1
        theta = np.arcsin(sine[kept])
        return np.degrees(2 * theta), self.strength[kept] * _lorentz_polarisation(theta)


def _lorentz_polarisation(theta: np.ndarray) -> np.ndarray:
    """Return the factor that pymatgen multiplies intensities by; theta: half the diffraction angles, rad."""
    return np.asarray((1 + np.cos(2 * theta) ** 2) / (np.sin(theta) ** 2 * np.cos(theta)))
