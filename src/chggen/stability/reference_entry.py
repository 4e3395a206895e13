"""ReferenceEntry: one known phase with its energy at one level of theory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from chggen.crystals import SYMBOLS, parse_formula, reduced
from chggen.errors import InputError
from chggen.potential import levels as registered_levels

_BITS: Final = {symbol: (z // 64, np.uint64(1) << np.uint64(z % 64)) for z, symbol in enumerate(SYMBOLS)}


@dataclass(frozen=True, kw_only=True)
class ReferenceEntry:
    """One known phase with its energy at one level of theory.

    Attributes:
        id: Name of the phase, unique in its table.
        formula: Its formula.
        level: Name of the level of theory.
        energy_per_atom: Energy in eV/atom.
        relaxed: Whether the structure was relaxed at this level. Else the energy is static, that of the structure as
            given.
        space_group: International number of the space group; 0 when unknown.
        n_atoms: Number of atoms in the cell that was computed; 0 when unknown.
        drop: By how much relaxation lowered the energy, in eV/atom; NaN when unknown.
        fingerprint: Fingerprint of the structure (`symmetry.structure_fingerprint`); empty when unknown.
    """

    id: str
    formula: str
    level: str
    energy_per_atom: float
    relaxed: bool = True
    space_group: int = 0
    n_atoms: int = 0
    drop: float = math.nan
    fingerprint: str = ""


def element_mask(elements: Iterable[str]) -> tuple[int, int]:
    """Return a set of elements as the bits of two 64-bit words.

    Args:
        elements: Element symbols.

    Returns:
        The two words. Bit i of the first stands for the element `SYMBOLS[i]`, bit i of the second for `SYMBOLS[64 +
        i]`.

    Raises:
        InputError: A symbol is unknown.
    """
    words = [0, 0]
    for symbol in elements:
        if symbol not in _BITS:
            raise InputError(f"unknown element '{symbol}'; expected symbols such as Zn")
        word, bit = _BITS[symbol]
        words[word] |= int(bit)
    return words[0], words[1]


def check_entry(entry: ReferenceEntry, present: Mapping[str, ReferenceEntry]) -> None:
    """Check an entry and that it fits the entries of the same id.

    Args:
        entry: The entry.
        present: Level of theory to the entry of the same id, as far as known before.

    Raises:
        InputError: The entry has no level or no finite energy, is there already at its level, or has another formula.
    """
    if not entry.level:
        known = ", ".join(registered_levels())
        raise InputError(f"reference {entry.id} has no level of theory; expected {known} or a name of its own")
    if not np.isfinite(entry.energy_per_atom):
        raise InputError(f"reference {entry.id} has energy {entry.energy_per_atom}; expected a number in eV/atom")
    if entry.level in present:
        raise InputError(f"reference {entry.id} is given twice at level {entry.level}; ids must differ")
    species = reduced(parse_formula(entry.formula))
    for other in present.values():
        if reduced(parse_formula(other.formula)) != species:
            raise InputError(f"reference {entry.id} is both {other.formula} and {entry.formula}; ids must differ")
