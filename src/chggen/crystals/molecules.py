"""Molecules by name, as guests that stay whole: the G2 set that ships with ASE."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from jaxtyping import Float

from chggen.crystals.composition import SYMBOLS
from chggen.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Structure

_EMPTY: Final = 14.0  # Å between a molecule alone and its images, more than twice what potentials see


@dataclass(frozen=True)
class Molecule:
    """The geometry of a molecule, or an atom alone, whose one atom is its centre.

    Source: Curtiss, Raghavachari, Redfern and Pople, J. Chem. Phys. 106, 1063 (1997), by way of `ase.collections.g2`.

    Attributes:
        symbols: Element symbols of its atoms.
        positions: Positions of shape (atoms, 3), in Å, its centre of mass at the origin.
    """

    symbols: tuple[str, ...]
    positions: Float[np.ndarray, "atoms 3"]

    @property
    def numbers(self) -> list[int]:
        """Atomic numbers of its atoms."""
        return [SYMBOLS.index(symbol) + 1 for symbol in self.symbols]

    def turned(self, n: int, rng: np.random.Generator) -> Float[np.ndarray, "n atoms 3"]:
        """Return the positions in n random orientations, uniform over all rotations.

        An atom alone takes no random numbers.

        Args:
            n: How many.
            rng: Random numbers.
        """
        if len(self.symbols) == 1:
            return np.zeros((n, 1, 3))
        from scipy.spatial.transform import Rotation

        rotations = Rotation.from_quat(rng.standard_normal((n, 4))).as_matrix()
        return np.asarray(np.einsum("nij,aj->nai", rotations, self.positions))

    def alone(self) -> Structure:
        """Return the molecule in the middle of a cube so wide that it does not see its images."""
        from pymatgen.core import Lattice, Structure

        side = _EMPTY + float(np.ptp(self.positions, axis=0).max())
        places = self.positions + side / 2
        return Structure(Lattice.cubic(side), self.symbols, places, coords_are_cartesian=True)


def is_molecule(name: str) -> bool:
    """Return whether a name is that of a molecule. Names of elements are not.

    Args:
        name: Such as `H2O`, as ASE spells it.
    """
    return name not in SYMBOLS and name in _known()


@functools.cache
def molecule_of(name: str) -> Molecule:
    """Return the molecule of a name; a lone atom for an element.

    Args:
        name: Element symbol, or a name such as `H2O`.

    Raises:
        InputError: The name is neither.
    """
    if name in SYMBOLS:
        return Molecule((name,), np.zeros((1, 3)))
    if name in ("D", "T"):
        raise InputError(f"guest '{name}' is hydrogen to every potential; give it as H")
    if not is_molecule(name):
        raise InputError(
            f"unknown guest '{name}'; expected an element or a molecule of ASE's g2 collection such as H2O, CO"
        )
    from ase.build import molecule

    atoms = molecule(name)
    return Molecule(tuple(atoms.symbols), np.asarray(atoms.positions - atoms.get_center_of_mass()))


def atoms_of_guests(guests: Mapping[str, int]) -> dict[str, int]:
    """Return how many atoms of each element guests have together.

    Args:
        guests: Element symbol, or name of a molecule, to number of guests.

    Raises:
        InputError: A name is neither, or there are none of a kind.
    """
    found: Counter[str] = Counter()
    for name, count in guests.items():
        if count < 1:
            raise InputError(f"guest count of {name} must be a positive integer, got {count}")
        for symbol in molecule_of(name).symbols:
            found[symbol] += count
    return dict(found)


@functools.cache
def _known() -> frozenset[str]:
    from ase.collections import g2

    return frozenset(g2.names)
