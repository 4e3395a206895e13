"""Limits of what counts as a crystal, apart from the checks, so that a list of options loads no arrays."""

from __future__ import annotations

from typing import Final

MAX_ATOMS: Final = 1000
"""Largest number of atoms that a structure may have."""
LAST: Final = 118
"""Atomic number of the heaviest known element."""
DENSEST: Final = 1.0
"""Least volume for each atom, Å³; no crystal is denser."""
LONGEST: Final = 1_000.0
"""Length of the longest lattice vector, Å."""
FARTHEST: Final = 10_000.0
"""Largest fractional coordinate, in cells."""
VACUUM: Final = 8.0
"""Å of an empty layer between planes of atoms from which a cell is a slab; layers of known crystals lie closer."""
