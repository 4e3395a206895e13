"""The cell and the sites that a CIF lists, as numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from chggen.errors import InputError
from chggen.io.bounds import check_cell, check_cell_parameters, check_positions
from chggen.io.cif_operations import UNKNOWN, first_text, listed_values
from chggen.io.crystal_limits import MAX_ATOMS

MOST_SITES: Final = 4 * MAX_ATOMS
"""Most sites of a block, listed or expanded; several partially occupied ones may share a position."""
MOST_OCCUPIED: Final = 1.01
"""Largest occupancy of a site, and of all that share a position: 1, up to rounding."""
_ISOTOPES: Final = re.compile(r"[DT](?![a-z])")
_FRACTION: Final = re.compile(r"-?\d{1,6}/\d{1,6}")
_GROUPS: Final = re.compile("OH|NO3|Wat|wat|O-H")  # symbols of groups of atoms, of which pymatgen takes one atom


@dataclass(frozen=True)
class ListedSite:
    """A site of a CIF.

    Attributes:
        label: Its label.
        symbol: What sits on it, as the file writes it, such as `Fe2+`.
        frac_coords: Fractional coordinates as listed, of shape (3,).
        digits: Number of digits behind the point that they are listed with.
        occupancy: Its occupancy.
        moment: Its magnetic moment in μB, Cartesian, of shape (3,); None where there is none.
    """

    label: str
    symbol: str
    frac_coords: Float[np.ndarray, "3"]
    digits: int
    occupancy: float
    moment: Float[np.ndarray, "3"] | None


def lattice_of(data: Mapping[str, Any], where: str) -> Float[np.ndarray, "3 3"]:
    """Return the lattice of a block. Angles that are left out are 90°, as the dictionary of CIF has it.

    Args:
        data: Values of the block by key, in small letters and with underscores only.
        where: What the file is called in messages.

    Returns:
        Lattice vectors in rows, of shape (3, 3), in Å.

    Raises:
        InputError: A length is missing or no number, or the cell is out of bounds.
    """
    from pymatgen.core import Lattice

    lengths = [_number(first_text(data, f"_cell_length_{axis}"), f"_cell_length_{axis}", where) for axis in "abc"]
    angles = [
        _number(first_text(data, key) or "90", key, where)
        for key in ("_cell_angle_alpha", "_cell_angle_beta", "_cell_angle_gamma")
    ]
    check_cell_parameters(lengths, angles, where)
    lattice = np.array(Lattice.from_parameters(*lengths, *angles).matrix)
    check_cell(lattice, 1, where)
    return lattice


def _number(text: str | None, what: str, where: str) -> float:
    """Return a number of a CIF without its standard uncertainty, such as 1.234(5)."""
    try:
        plain = re.sub(r"\(.*\)", "", text or "")
        value = float(Fraction(plain)) if _FRACTION.fullmatch(plain) else float(plain)
    except (ValueError, ArithmeticError):
        raise InputError(f"{where} has {what} {text or 'missing'}; expected a number") from None
    return value


def sites_of(
    data: Mapping[str, Any], lattice: Float[np.ndarray, "3 3"], where: str
) -> tuple[list[ListedSite], list[str]]:
    """Return the sites that a block lists.

    Args:
        data: Values of the block by key, in small letters and with underscores only.
        lattice: Lattice vectors in rows, of shape (3, 3), in Å.
        where: What the file is called in messages.

    Returns:
        The sites in their order, without dummies and those of occupancy 0, and notes of one line each.

    Raises:
        InputError: A site has no coordinates, an occupancy that is none or stands for a group of atoms, hydrogens are
            counted but not listed, or there are no sites or too many.
    """
    columns = {axis: listed_values(data, f"_atom_site_fract_{axis}") for axis in "xyz"}
    count = len(columns["x"])
    if not 1 <= count <= MOST_SITES:
        raise InputError(f"{where} lists {count} sites; expected 1 to {MOST_SITES}")
    labels = listed_values(data, "_atom_site_label") or listed_values(data, "_atom_site_type_symbol")
    symbols = listed_values(data, "_atom_site_type_symbol") or labels
    table = {"label": labels, "symbol": symbols, **columns}
    if any(len(column) != count for column in table.values()):
        raise InputError(f"{where} has a table of sites with columns of different lengths, or without labels; mend it")
    occupancies = listed_values(data, "_atom_site_occupancy") or ["1"] * count
    kinds = listed_values(data, "_atom_site_calc_flag") or [""] * count
    moments = _moments(data, lattice)
    found, notes, isotopes = [], [], set[str]()
    for k, (label, symbol) in enumerate(zip(labels, symbols, strict=True)):
        if kinds[k] == "dum":
            notes.append(f"left out the dummy site {label}")
            continue
        if _GROUPS.match(symbol):
            raise InputError(f"{where} has the site {label} of {symbol}; expected single atoms with their coordinates")
        if isotope := _ISOTOPES.match(symbol):
            isotopes.add(isotope[0])
            symbol = "H" + symbol[1:]
        texts = [columns[axis][k] for axis in "xyz"]
        if any(text in UNKNOWN for text in texts):
            raise InputError(f"{where} gives no coordinates for {label}; add them, or remove the site and its atoms")
        place = np.array([_number(text, f"the coordinate of {label}", where) for text in texts])
        digits = max(len(re.sub(r"\(.*|[eE].*", "", text).partition(".")[2]) for text in texts)
        full = occupancies[k] in UNKNOWN
        occupancy = 1.0 if full else _number(occupancies[k], f"the occupancy of {label}", where)
        if not 0 <= occupancy <= MOST_OCCUPIED:
            raise InputError(f"{where} has the occupancy {occupancies[k]} of {label}; expected 0 to 1, so mend it")
        if not occupancy:
            notes.append(f"left out the site {label}, whose occupancy is 0")
            continue
        found.append(ListedSite(label, symbol, place, digits, occupancy, moments.get(label)))
    if isotopes:
        notes.append(f"took {' and '.join(sorted(isotopes))} as H")
    _check_hydrogens(data, found, where)
    if found:
        check_positions(np.array([site.frac_coords for site in found]), where)
    return found, notes


def _check_hydrogens(data: Mapping[str, Any], sites: Sequence[ListedSite], where: str) -> None:
    """Raise InputError where hydrogens are counted at the atoms that bear them, and have no sites."""
    attached = listed_values(data, "_atom_site_attached_hydrogens")
    borne = any(number not in ("0", *UNKNOWN) for number in attached)
    if borne and not any(re.match(r"[HDT](?![a-z])", site.symbol) for site in sites):
        raise InputError(f"{where} counts attached hydrogens but lists no H; add these atoms with their coordinates")


def _moments(data: Mapping[str, Any], lattice: Float[np.ndarray, "3 3"]) -> dict[str, Float[np.ndarray, "3"]]:
    """Return Cartesian magnetic moments in μB by the label of their site."""
    labels = listed_values(data, "_atom_site_moment_label")
    axes = [listed_values(data, f"_atom_site_moment_crystalaxis_{axis}") for axis in "xyz"]
    unit = lattice / np.linalg.norm(lattice, axis=1)[:, None]
    found = {}
    for k, label in enumerate(labels):
        try:
            components = np.array([float(re.sub(r"\(.*\)", "", axis[k])) for axis in axes])
        except (ValueError, IndexError):  # not given along the axes: it is of no consequence for energies
            continue
        found[label] = components @ unit
    return found
