"""What the page's scripts know of crystals: structures, sites, CIF texts and the elements' colours and radii."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from chggen.results import Candidate
from chggen.symmetry import spglib_cell, symmetry_dataset

if TYPE_CHECKING:
    from pymatgen.core import Structure

_SYMPREC: Final = 0.1  # Å, at which sites are told apart, as in the table
_MOST_ATOMS: Final = 300  # in a cell; sites of larger ones are listed one by one


def page_data(
    folder: Path, shown: Sequence[Candidate], everyone: Sequence[Candidate], first: str | None
) -> dict[str, Any]:
    """Return the data of the page's scripts.

    Args:
        folder: The results folder, whose CIF files are taken up where there are any.
        shown: The candidates of the table.
        everyone: All candidates of the run, duplicates among them.
        first: Id of the candidate that is shown at first; None for the first with a structure.

    Returns:
        `elements` with symbol, number, colour, radius (Å), whether it is a metal, electronegativity and X-ray
        scattering parameters;
        `crystals` by id, each with `relaxed`, `raw`, `conventional` and `sites` (see `_conventional`) and `cif`;
        `stands_for`: id of a duplicate to the id that stands for it; `first`: id of the one that is shown at first.
    """
    symbols = sorted({site.specie.symbol for c in shown for s in (c.structure, c.raw) if s is not None for site in s})
    crystals = {c.id: _crystal(folder, c, symbols) for c in shown if c.structure is not None or c.raw is not None}
    return {
        "elements": [_element(symbol) for symbol in symbols],
        "crystals": crystals,
        "stands_for": {c.id: c.duplicate_of for c in everyone if c.duplicate_of is not None},
        "first": first if first in crystals else next(iter(crystals), None),
    }


def _crystal(folder: Path, candidate: Candidate, symbols: Sequence[str]) -> dict[str, Any]:
    """Return the structures of a candidate, its sites, and its CIF where the folder holds one."""
    relaxed = candidate.structure if candidate.structure is not candidate.raw else None
    entry: dict[str, Any] = {"raw": _plain(candidate.raw, symbols)}
    if relaxed is not None and candidate.energies:
        entry |= {"relaxed": _plain(relaxed, symbols), **_conventional(relaxed)}
        file = folder / "structures" / f"{candidate.id}.cif"
        if file.is_file():
            entry["cif"] = file.read_text(encoding="utf-8", errors="replace")
    elif relaxed is not None and candidate.raw is None:
        entry["raw"] = _plain(relaxed, symbols)
    return {key: value for key, value in entry.items() if value is not None}


def _plain(structure: Structure | None, symbols: Sequence[str]) -> dict[str, Any] | None:
    """Return a structure as plain numbers, rounded to what a picture or a CIF needs."""
    if structure is None:
        return None
    guest = structure.site_properties.get("guest", [False] * len(structure))
    return {
        "lattice": [round(float(x), 5) + 0.0 for x in structure.lattice.matrix.ravel()],
        "kinds": [symbols.index(site.specie.symbol) for site in structure],
        "frac": [round(float(x), 5) + 0.0 for x in (structure.frac_coords % 1.0).ravel()],
        "guest": [k for k, is_guest in enumerate(guest) if is_guest],
    }


def _conventional(structure: Structure) -> dict[str, Any]:
    """Return the conventional cell of a structure, and its symmetry-distinct sites in that.

    `conventional` are lengths (Å), angles (°) and volume (Å³). Each of `sites` is the letter with its multiplicity, the
    number of the first atom, the number of atoms in the cell of the structure, and fractional coordinates in the
    setting that the letters are of. Nothing where no group is found, or the cell is large.
    """
    from pymatgen.core import Lattice

    if len(structure) > _MOST_ATOMS:
        return {}
    found = symmetry_dataset(spglib_cell(structure), _SYMPREC, -1.0)
    if found is None:
        return {}
    # multiplicities are those of the conventional cell, as letters are
    of_cell = len(found.std_types) / len(structure)
    places = (structure.frac_coords @ found.transformation_matrix.T + found.origin_shift) % 1.0
    places = np.round(places, 5) % 1.0
    firsts, counts = np.unique(found.equivalent_atoms, return_counts=True)
    cell = Lattice(found.std_lattice)
    return {
        "conventional": [round(float(x), 5) for x in (*cell.abc, *cell.angles, cell.volume)],
        "sites": [
            (f"{round(int(n) * of_cell)}{found.wyckoffs[int(k)]}", int(k), int(n), places[k].tolist())
            for k, n in zip(firsts, counts, strict=True)
        ],
    }


def _element(symbol: str) -> dict[str, Any]:
    """Return what scripts know of an element."""
    from ase.data import covalent_radii
    from ase.data.colors import jmol_colors
    from pymatgen.analysis.diffraction.xrd import ATOMIC_SCATTERING_PARAMS
    from pymatgen.core import Element

    element = Element(symbol)
    red, green, blue = (round(255 * float(x)) for x in jmol_colors[element.Z])
    return {
        "symbol": symbol,
        "number": int(element.Z),
        "color": f"#{red:02x}{green:02x}{blue:02x}",
        "radius": round(float(covalent_radii[element.Z]), 3),
        "metal": bool(element.is_metal or (element.is_metalloid and symbol in ("B", "Si", "Ge", "As", "Sb", "Te"))),
        "electronegativity": element.data.get("X"),
        "scattering": ATOMIC_SCATTERING_PARAMS.get(symbol, []),
    }
