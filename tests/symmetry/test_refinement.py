"""Refinement over all space groups, in primitive, conventional and odd-shaped cells; the framework ladder."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import spglib
from pymatgen.core import Lattice, Structure

from chggen.symmetry.detection import above_trivial, operations, space_group
from chggen.symmetry.refinement import refine, symmetrised_framework

NOISE = 0.006  # Å, standard deviation of each coordinate: 0.01 Å a displacement


@cache
def first_hall_numbers() -> dict[int, int]:
    found: dict[int, int] = {}
    for hall in range(1, 531):
        found.setdefault(spglib.get_spacegroup_type(hall).number, hall)
    return found


@cache
def crystal(number: int) -> Structure:
    """A crystal of exactly this space group, in its conventional cell: an orbit through the origin, a general one."""
    database = spglib.get_symmetry_from_database(first_hall_numbers()[number])
    rotations, translations = database["rotations"], database["translations"]
    rng = np.random.default_rng(number)
    metric = np.diag(rng.uniform(0.7, 1.3, 3)) + rng.uniform(-0.15, 0.15) * (1 - np.eye(3))
    metric = np.mean([r.T @ metric @ r for r in rotations], axis=0)
    corner = _orbit(rotations, translations, np.zeros(3))
    lattice = np.linalg.cholesky(metric)
    lattice *= (18 * (len(corner) + len(rotations)) / np.linalg.det(lattice)) ** (1 / 3)
    for _ in range(100):
        orbit = _orbit(rotations, translations, rng.random(3))
        made = Structure(lattice, ["Zn"] * len(corner) + ["S"] * len(orbit), np.concatenate([corner, orbit]))
        if _closest(made) > 0.5 and space_group(made, 0.3) == number:  # nowhere near a supergroup either
            return made
    raise AssertionError(f"no crystal of group {number} drawn")


def _orbit(rotations: np.ndarray, translations: np.ndarray, point: np.ndarray) -> np.ndarray:
    images = np.round((rotations @ point + translations) % 1.0, 8) % 1.0
    return np.unique(images, axis=0)


def _closest(structure: Structure) -> float:
    return float((structure.distance_matrix + 100 * np.eye(len(structure))).min())


def disturbed(structure: Structure, seed: int, noise: float = NOISE, strain: float = 0.001) -> Structure:
    rng = np.random.default_rng(seed)
    shape = np.eye(3) + rng.uniform(-strain, strain, (3, 3))
    shift = rng.normal(0, noise, (len(structure), 3)) @ np.linalg.inv(structure.lattice.matrix)
    return Structure(structure.lattice.matrix @ shape, structure.species, structure.frac_coords + shift)


def largest_move(a: Structure, b: Structure) -> float:
    """Å; atom by atom, minimum image."""
    delta = a.frac_coords - b.frac_coords
    return float(np.linalg.norm((delta - np.round(delta)) @ a.lattice.matrix, axis=1).max())


def test_every_space_group_is_restored_and_then_stays(any_space_group: int) -> None:
    number = any_space_group
    whole = crystal(number)
    exact = whole.get_primitive_structure(tolerance=0.01) if number % 2 or len(whole) > 100 else whole
    start = disturbed(exact, number)
    refined = refine(start, 0.1)
    assert refined is not None
    assert refined.space_group == space_group(start, 0.1) == number
    assert refined.rms <= 0.03
    assert refined.rms <= refined.largest < 0.1
    assert refined.structure.species == start.species
    assert largest_move(refined.structure, start) < 0.1
    assert np.allclose(refined.structure.lattice.matrix, start.lattice.matrix, atol=0.01 * start.lattice.abc[0])
    again = refine(refined.structure, 0.1)
    assert again is not None
    assert again.space_group == number
    assert largest_move(again.structure, refined.structure) < 1e-6
    assert np.allclose(again.structure.lattice.matrix, refined.structure.lattice.matrix, atol=1e-6)


@pytest.mark.parametrize(
    "shape", [(2, 1, 1), (1, 1, 3), [[1, 1, 0], [0, 1, 0], [0, 0, 2]], [[0, 2, 1], [1, 0, 0], [0, 1, 3]]]
)
@pytest.mark.parametrize("number", [1, 14, 62, 136, 167, 186, 194, 205, 216, 225])
def test_the_group_of_the_crystal_is_restored_in_a_supercell_that_breaks_it(
    number: int, shape: list[list[int]]
) -> None:
    exact = crystal(number).get_primitive_structure(tolerance=0.01)
    start = disturbed(exact * shape, 7, noise=0.005)
    refined = refine(start, 0.1)
    assert refined is not None
    assert refined.space_group == number
    assert refined.structure.species == start.species
    assert largest_move(refined.structure, start) < 0.05
    assert len(refined.structure.get_primitive_structure(tolerance=1e-4)) == len(exact)
    assert space_group(refined.structure, 1e-5) == number
    again = refine(refined.structure, 0.1)
    assert again is not None
    assert largest_move(again.structure, refined.structure) < 1e-6


def test_a_two_fold_cell_of_rock_salt_is_cubic_again() -> None:
    start = disturbed(_rock_salt() * (2, 1, 1), 3)
    refined = refine(start)
    assert refined is not None
    assert refined.space_group == 225
    a, b, c = refined.structure.lattice.abc
    assert (a / 2, c) == pytest.approx((b, b), rel=1e-9)
    assert refined.structure.lattice.angles == pytest.approx((90, 90, 90), abs=1e-9)
    assert refined.structure.lattice.volume == pytest.approx(start.volume, rel=1e-3)


def test_a_crystal_without_symmetry_is_left_as_it_is() -> None:
    start = _lopsided()
    refined = refine(start)
    assert refined is not None
    assert refined.space_group == 1
    assert refined.largest < 1e-9
    assert largest_move(refined.structure, start) < 1e-9


def test_displacements_are_those_of_the_atoms() -> None:
    start = _rock_salt()
    start.translate_sites([0], [0.04, 0, 0], frac_coords=False)
    refined = refine(start)
    assert refined is not None
    # One of eight atoms was off by 0.04: it goes back 7/8 of that, the others 1/8 with the centre of mass.
    assert refined.largest == pytest.approx(0.035, rel=1e-3)
    assert refined.rms == pytest.approx(np.sqrt((0.035**2 + 7 * 0.005**2) / 8), rel=1e-3)


def test_the_ladder_stops_at_the_first_tolerance_that_gives_a_group() -> None:
    near, far = disturbed(_rock_salt(), 0), disturbed(_rock_salt(), 0, noise=0.08)
    sharp, loose = symmetrised_framework(near), symmetrised_framework(far)
    assert sharp is not None
    assert loose is not None
    assert sharp.symprec == 0.1
    assert loose.symprec > 0.1
    assert loose.rms > 3 * sharp.rms
    assert above_trivial(loose.space_group)
    assert space_group(loose.structure, 0.01) == loose.space_group
    assert loose.largest < 2 * loose.symprec


def test_a_framework_that_no_tolerance_symmetrises_is_none() -> None:
    wide = _lopsided()
    wide.scale_lattice(8 * wide.volume)
    assert symmetrised_framework(wide) is None
    assert symmetrised_framework(_lopsided(), ((0.1, 10.0), (0.2, 15.0))) is None


def test_a_random_framework_is_refused_or_made_exact() -> None:
    lattice = Lattice.from_parameters(5.1, 6.3, 7.7, 81, 97, 104)
    drawn = [np.random.default_rng(seed).random((6, 3)) for seed in range(5)]
    found = [symmetrised_framework(Structure(lattice, ["Li", "P", "P", "S", "S", "S"], sites)) for sites in drawn]
    exact = [refined for refined in found if refined is not None]
    assert 0 < len(exact) < len(found)  # of both kinds
    for refined in exact:
        assert above_trivial(refined.space_group)
        assert space_group(refined.structure, 1e-4) == refined.space_group


def test_operations_of_a_cell() -> None:
    rotations, translations = operations(_rock_salt())
    assert rotations.shape == (192, 3, 3)
    assert translations.shape == (192, 3)
    assert operations(_lopsided())[0].shape == (1, 3, 3)


@pytest.mark.parametrize(("number", "above"), [(None, False), (1, False), (2, False), (3, True), (230, True)])
def test_what_counts_as_symmetric(number: int | None, above: bool) -> None:
    assert above_trivial(number) is above


def test_a_structure_that_spglib_refuses_has_no_group() -> None:
    stacked = Structure(Lattice.cubic(4), ["Na", "Na"], [[0, 0, 0], [0, 0, 0]])
    assert space_group(stacked) is None
    assert refine(stacked) is None


def _rock_salt() -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def _lopsided() -> Structure:
    """Five atoms of five elements in a triclinic cell: no operation maps them on each other at any tolerance."""
    places = [[0.03, 0.11, 0.07], [0.52, 0.31, 0.18], [0.24, 0.77, 0.55], [0.81, 0.63, 0.29], [0.66, 0.08, 0.83]]
    return Structure(Lattice.from_parameters(5, 6.5, 8, 75, 98, 112), ["Li", "P", "S", "Zn", "O"], places)
