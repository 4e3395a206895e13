"""Rejection of generated structures that must not go on, and structures found twice."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from chggen.campaign.duplicates import duplicate_groups
from chggen.generation.contacts import closest_contact, reject_reason

SALT = {"Na": 4, "Cl": 4}


@pytest.fixture
def salt() -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_a_good_structure_goes_on(salt: Structure) -> None:
    assert reject_reason(salt, SALT) is None
    salt.add_oxidation_state_by_element({"Na": 1, "Cl": -1})
    assert reject_reason(salt, SALT) is None


def test_reasons_of_rejection(salt: Structure) -> None:
    assert reject_reason(salt, {"Na": 4, "Cl": 3}) == f"composition {SALT} is not the {{'Na': 4, 'Cl': 3}} asked for"
    near = salt.copy()
    near.translate_sites([0], [1.9, 0, 0], frac_coords=False)
    assert reject_reason(near, SALT) == "overlap: Na–Cl 0.92 Å"
    lost = salt.copy()
    lost[0] = "Na", [np.nan, 0, 0]
    assert reject_reason(lost, SALT) == "coordinates are not finite"


@pytest.mark.parametrize(("places", "found"), [([[0, 0, 0]] * 2, 0.0), ([[0.99, 0, 0], [0.01, 0, 0]], 0.12)])
def test_atoms_that_meet_across_the_border_or_exactly(places: list[list[float]], found: float) -> None:
    reason = reject_reason(Structure(Lattice.cubic(6), ["Na", "Na"], places), {"Na": 2})
    assert reason == f"overlap: Na–Na {found:.2f} Å"


def test_an_atom_can_overlap_with_its_own_image() -> None:
    assert reject_reason(Structure(Lattice.cubic(1.2), ["Na"], [[0, 0, 0]]), {"Na": 1}) == "overlap: Na–Na 1.20 Å"


def test_the_closest_contact_is_measured_in_covalent_radii() -> None:
    # H–S at 1.3 Å is a bond, S–S at 1.6 Å is the closer contact relative to its radii (0.31, 1.05 Å).
    places = [[0, 0, 0], [1.3, 0, 0], [0, 1.6, 0]]
    structure = Structure(Lattice.cubic(9), ["S", "H", "S"], places, coords_are_cartesian=True)
    ratio, pair = closest_contact(structure)
    assert pair == "S–S 1.60 Å"
    assert ratio == pytest.approx(1.6 / 2.10)
    assert closest_contact(Structure(Lattice.cubic(9), ["S"], [[0, 0, 0]])) == (np.inf, "")


def test_the_same_crystal_in_another_cell_is_a_duplicate(salt: Structure) -> None:
    cell = salt.get_primitive_structure() * (1, 2, 1)
    cell.translate_sites(range(len(cell)), [0.13, 0.4, 0.27])
    cell.perturb(0.01)
    cesium_type = Structure(Lattice.cubic(3.4), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    exchanged = salt.copy()
    exchanged.replace_species({"Na": "K"})
    assert duplicate_groups([salt, cesium_type, cell, exchanged, cesium_type.copy()], [0.0] * 5) == [0, 1, 0, 3, 1]


def test_equal_structures_of_other_energy_are_two(salt: Structure) -> None:
    copies = [salt.copy() for _ in range(3)]
    assert duplicate_groups(copies, [0.0, 0.03, 0.019]) == [0, 1, 0]
    assert duplicate_groups(copies, [0.03, 0.0, 0.019]) == [0, 1, 0]


def test_a_duplicate_points_to_the_first_of_its_group(salt: Structure) -> None:
    assert duplicate_groups([salt] * 4, [0.0] * 4) == [0, 0, 0, 0]
    assert duplicate_groups([], []) == []
