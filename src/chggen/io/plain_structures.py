"""Structures as the rest of chggen takes them: elements on sites, plain values beside them, a right-handed cell.

Every structure that comes in passes through here, from whichever file or library. Energies depend on elements,
positions and the cell alone. What else a structure carries goes along as site properties of plain lists and numbers,
which can be stored as JSON.
"""

from __future__ import annotations

import math
from collections import Counter
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from chggen.errors import InputError
from chggen.io.bounds import check_structure

if TYPE_CHECKING:
    from pymatgen.core import Composition, Structure

OXIDATION_STATES: Final = "oxidation_state"
"""Site property that holds oxidation states: a number, or None, for each site."""
MOMENTS: Final = "magmom"
"""Site property that holds magnetic moments in μB: a number for each site, or three Cartesian components."""
HELD: Final = "selective_dynamics"
"""Site property that tells which coordinates of each site may move: three truth values, as in a POSCAR."""
_OF_THE_WHOLE: Final = {"comment": str, "name": str, "title": str, "charge": float}  # properties that are kept


_SHARED: Final = "shared"  # marks that ions of one element shared a site


class _NotPlainError(Exception):
    """A value that has no plain form."""


def plain_structure(structure: Structure, where: str) -> tuple[Structure, list[str]]:
    """Return a structure in the form that the rest of chggen takes, checked, with notes on what is not as given.

    - Deuterium and tritium are hydrogen.
    - Oxidation states and spins of species become the site properties `oxidation_state` and `magmom`. Ions of one
      element that share a site become that element. Structures with partially occupied sites keep their ions, which
      choosing an ordering needs.
    - Site properties become plain lists, numbers and texts. Moments of pymatgen become numbers or vectors.
    - A left-handed cell is inverted through its origin, which is the same crystal.

    Args:
        structure: Any pymatgen structure. It is not changed.
        where: What the structure is called in messages, such as its file.

    Returns:
        The structure, itself if it has this form already, and notes of one line each.

    Raises:
        InputError: It fails `check_structure`, or is not periodic in three directions.
    """
    from pymatgen.core import Structure

    check_structure(structure, where)
    if not all(structure.lattice.pbc):
        raise InputError(
            f"{where} is not periodic in three directions; expected a crystal with a cell, or a slab in one"
        )
    if _is_plain(structure):
        return structure, []
    notes = _isotopes(structure)
    species, ions = _elements(structure)
    properties, dropped = _site_properties(structure)
    if dropped:
        notes.append(f"left out the site properties {', '.join(dropped)}, which are no plain values")
    if ions.pop(_SHARED, None):
        notes.append("took ions of one element that share a site as that element")
    for name, values in ions.items():
        if any(value is not None for value in values):
            properties.setdefault(name, values)
    lattice, frac = structure.lattice.matrix, structure.frac_coords
    if np.linalg.det(lattice) < 0:
        lattice, frac = 0.0 - lattice, 0.0 - frac  # no -0.0
        notes.append("turned the left-handed cell into a right-handed one (a, b, c to -a, -b, -c; the same crystal)")
    made = Structure(
        lattice, species, frac, site_properties=properties, labels=_labels(structure),
        properties=_of_the_whole(structure),
    )  # fmt: skip
    return made, notes


def _is_plain(structure: Structure) -> bool:
    """Return whether a structure has the wanted form already."""
    from pymatgen.core import Structure

    return (
        type(structure) is Structure
        and structure.properties == _of_the_whole(structure)
        and bool(np.linalg.det(structure.lattice.matrix) > 0)
        and all(_is_element(specie) for site in structure for specie in site.species)  # a sum would mix H with D
        and all(is_json(value) for site in structure for value in site.properties.values())
    )


def _of_the_whole(structure: Structure) -> dict[str, Any]:
    """Return what is kept of the properties of a whole structure, its charge among them."""
    given = {**structure.properties, **({"charge": float(structure._charge)} if structure._charge else {})}
    return {name: given[name] for name, kind in _OF_THE_WHOLE.items() if isinstance(given.get(name), kind)}


def _is_element(specie: Any) -> bool:
    """Return whether a species is an element, and no ion or isotope."""
    from pymatgen.core import Element

    return type(specie) is Element and Element.from_Z(specie.Z) is specie


def is_json(value: Any, tables: bool = False) -> bool:
    """Return whether a value is one that JSON gives back as it is: no array, no tuple, no number that is not finite.

    Args:
        value: Any value.
        tables: Whether dictionaries, whose keys are text, may be or lie in it.
    """
    if tables and type(value) is dict:
        return all(type(key) is str and is_json(one, tables) for key, one in value.items())
    if type(value) is list:
        return all(is_json(one, tables) for one in value)
    return value is None or type(value) in (bool, int, str) or (type(value) is float and math.isfinite(value))


def _isotopes(structure: Structure) -> list[str]:
    """Return a note on sites of deuterium and tritium, if there are any."""
    from pymatgen.core import Element

    found: Counter[str] = Counter()
    for site in structure:
        for specie in site.species:
            if specie.Z == 1 and getattr(specie, "element", specie) != Element("H"):
                found[str(getattr(specie, "element", specie).name)] += 1
    return [f"took {' and '.join(f'{n} {s}' for s, n in sorted(found.items()))} as H"] if found else []


def _elements(structure: Structure) -> tuple[list[Any], dict[str, list[Any]]]:
    """Return what sits on each site, and oxidation states and spins that are taken off the species."""
    from pymatgen.core import Composition, Element, Species

    as_elements = [_mapped(site.species, lambda s: Element.from_Z(s.Z)) for site in structure]
    if not all(len(c) == 1 and abs(sum(c.values()) - 1) < 1e-8 for c in as_elements):

        def undecorated(specie: Any) -> Any:
            element, state = Element.from_Z(specie.Z), getattr(specie, "oxi_state", None)
            return element if state is None else Species(element.symbol, state)

        return [_mapped(site.species, undecorated) for site in structure], {}
    states, spins = [], []
    for site in structure:
        given = [
            (float(state), n) for s, n in site.species.items() if (state := getattr(s, "oxi_state", None)) is not None
        ]
        states.append(sum(state * n for state, n in given) / sum(n for _, n in given) if given else None)
        spin = [getattr(s, "spin", None) for s in site.species]
        spins.append(float(spin[0]) if len(spin) == 1 and spin[0] is not None else None)
    if any(spin is not None for spin in spins):
        spins = [0.0 if spin is None else spin for spin in spins]
    only: list[Any] = [next(iter(Composition(c))) for c in as_elements]
    shared = [True] if any(len(site.species) > 1 for site in structure) else []
    return only, {OXIDATION_STATES: states, MOMENTS: spins, _SHARED: shared}


def _mapped(species: Composition, change: Any) -> dict[Any, float]:
    """Return what sits on a site with each species changed; those that become equal are added up."""
    found: dict[Any, float] = {}
    for specie, amount in species.items():
        changed = change(specie)
        found[changed] = found.get(changed, 0.0) + float(amount)
    return found


def _labels(structure: Structure) -> list[str | None]:
    """Return the labels of sites, None for those that only repeat the species."""
    return [None if site.label == site.species_string else site.label for site in structure]


def _site_properties(structure: Structure) -> tuple[dict[str, list[Any]], list[str]]:
    """Return site properties as plain values, and the names of those that have no plain form."""
    found: dict[str, list[Any]] = {}
    dropped = []
    for name, values in structure.site_properties.items():
        try:
            plain = [_plain(value) for value in values]
            found[str(name)] = _collinear(plain) if name == MOMENTS else plain
        except _NotPlainError:
            dropped.append(str(name))
    return found, dropped


def _plain(value: Any) -> Any:
    """Return a value as lists, numbers, texts and truth values."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, Enum):
        return _plain(value.value)
    if hasattr(value, "get_moment"):  # pymatgen's Magmom, by itself along an axis of its own
        return [round(float(m), 10) for m in value.get_moment(saxis=(0, 0, 1))]
    raise _NotPlainError


def _collinear(moments: list[Any]) -> list[Any]:
    """Return moments as numbers where all lie along z, else as they are."""
    if all(isinstance(m, list) and len(m) == 3 and m[:2] == [0.0, 0.0] for m in moments):
        return [m[2] for m in moments]
    return moments
