"""Corrections of the Materials Project to PBE and PBE+U energies, for potentials that were trained on energies without.

PBE binds some anions too weakly, and energies with and without U have no common zero. The scheme of 2020 adds a
constant for each atom of some elements, by what the crystal is: oxide or peroxide, sulfide or sulfate, with U or not
(Wang et al., Sci. Rep. 11, 15496, 2021). So it shifts hulls, and hardly ever the order of crystals of one composition.
"""

from __future__ import annotations

import warnings
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from chggen.crystals import Crystals, to_structures

if TYPE_CHECKING:
    from pymatgen.core import Structure


def mp2020_correction(crystal: Crystals) -> float:
    """Return the correction of a crystal.

    Args:
        crystal: A batch of one.

    Returns:
        What is added to its energy as VASP gives it, in eV, by pymatgen's `MaterialsProject2020Compatibility`.
    """
    (structure,) = to_structures(crystal)
    return correction_of(structure)


def correction_of(structure: Structure) -> float:
    """Return the correction of a structure, in eV, see `mp2020_correction`.

    Args:
        structure: An ordered structure.
    """
    from pymatgen.analysis.structure_analyzer import oxide_type, sulfide_type

    composition = structure.composition
    formula, units = composition.get_reduced_formula_and_factor()
    symbols = {element.symbol for element in composition}
    kinds: list[str | None] = ["", ""]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if len(symbols) > 1 and "O" in symbols:
            kinds[0] = str(oxide_type(structure, 1.05))
        if len(symbols) > 1 and "S" in symbols:
            kinds[1] = sulfide_type(structure)
        return units * _of_formula(formula, kinds[0] or "", kinds[1])


@lru_cache(maxsize=10_000)  # guessing oxidation states takes long
def _of_formula(formula: str, oxide: str, sulfide: str | None) -> float:
    """Return the correction of a formula, in eV; sulfide: None for sulfur that is no anion, empty for no sulfur."""
    from pymatgen.entries.computed_entries import ComputedEntry

    scheme, hubbards = _scheme()
    entry = ComputedEntry(formula, 0.0)
    if len(entry.composition) == 1:
        return 0.0
    anion = max(entry.composition.elements, key=lambda element: element.X).symbol
    used = {e.symbol: u for e in entry.composition.elements if (u := hubbards.get(anion, {}).get(e.symbol))}
    entry.parameters = {"run_type": "GGA+U" if used else "GGA", "hubbards": used, "software": "none"}
    entry.data = {"oxide_type": oxide or "oxide", "sulfide_type": sulfide or "none"}
    return float(sum(adjustment.value for adjustment in scheme.get_adjustments(entry)))


@cache
def _scheme() -> tuple[Any, dict[str, dict[str, float]]]:
    """Return pymatgen's scheme, and its values of U by anion and element."""
    from pymatgen.entries.compatibility import MaterialsProject2020Compatibility

    scheme = MaterialsProject2020Compatibility(check_potcar=False)
    return scheme, {anion: dict(of) for anion, of in scheme.u_settings.items()}
