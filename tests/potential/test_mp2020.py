"""Corrections of 2020: those of pymatgen for entries with structures, by formula and kind of anion."""

from __future__ import annotations

import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.entries.compatibility import MaterialsProject2020Compatibility
from pymatgen.entries.computed_entries import ComputedStructureEntry

from chggen.potential.mp2020 import correction_of

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
IRON = Structure(Lattice.cubic(2.87), ["Fe", "Fe"], [[0, 0, 0], [0.5, 0.5, 0.5]])
WUSTITE = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.3), ["Fe", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
BARIUM_PEROXIDE = Structure(
    Lattice.tetragonal(3.8, 6.8), ["Ba", "Ba", "O", "O", "O", "O"],
    [[0, 0, 0], [0.5, 0.5, 0.5], [0, 0, 0.39], [0, 0, 0.61], [0.5, 0.5, 0.89], [0.5, 0.5, 0.11]],
)  # fmt: skip
PYRITE = Structure.from_spacegroup("Pa-3", Lattice.cubic(5.42), ["Fe", "S"], [[0, 0, 0], [0.385, 0.385, 0.385]])
FLUORIDE = Structure.from_spacegroup(
    "Pm-3m", Lattice.cubic(4.0), ["K", "Fe", "F"], [[0, 0, 0], [0.5] * 3, [0.5, 0.5, 0]]
)
IRON_WITH_U = {"Fe": 5.3}


@pytest.mark.parametrize(
    ("structure", "hubbards"),
    [(SALT, {}), (WUSTITE, IRON_WITH_U), (BARIUM_PEROXIDE, {}), (PYRITE, {}), (FLUORIDE, IRON_WITH_U)],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_it_is_what_pymatgen_adds_to_an_entry(structure: Structure, hubbards: dict[str, float]) -> None:
    parameters = {"run_type": "GGA+U" if hubbards else "GGA", "hubbards": hubbards, "software": "none"}
    entry = ComputedStructureEntry(structure, 0.0, parameters=parameters)
    (processed,) = MaterialsProject2020Compatibility(check_potcar=False).process_entries([entry])
    assert correction_of(structure) == pytest.approx(processed.correction, abs=1e-9)
    assert correction_of(structure) != 0


def test_elements_have_none_and_cells_of_two_units_twice_as_much() -> None:
    assert correction_of(IRON) == 0.0
    assert correction_of(WUSTITE * (1, 1, 2)) == pytest.approx(2 * correction_of(WUSTITE))
