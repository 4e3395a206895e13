"""Wavelengths of X-rays by name."""

from __future__ import annotations

import math

from chggen.errors import InputError

_SHORTEST, _LONGEST = 0.05, 10.0  # Å; beyond them nobody measures powder patterns of crystals


def wavelength_of(radiation: str | float) -> float:
    """Return a wavelength.

    Args:
        radiation: Name of a radiation such as `CuKa`, or a wavelength in Å, as a number or a text.

    Returns:
        The wavelength in Å.

    Raises:
        InputError: It is neither, or no wavelength of a powder pattern.
    """
    from pymatgen.analysis.diffraction.xrd import WAVELENGTHS

    if isinstance(radiation, str) and radiation in WAVELENGTHS:
        return float(WAVELENGTHS[radiation])
    try:
        value = float(radiation)
    except (TypeError, ValueError):
        raise InputError(
            f"unknown wavelength {radiation!r:.40}; expected a number in Å or one of {', '.join(WAVELENGTHS)}"
        ) from None
    if not (math.isfinite(value) and _SHORTEST <= value <= _LONGEST):
        raise InputError(f"the wavelength must be between {_SHORTEST} and {_LONGEST:g} Å, got {value:g}")
    return value
