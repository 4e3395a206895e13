"""What disordered structures say, the cells that hold them, and their orderings, against counts known by hand."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from pymatgen.core import Composition, DummySpecies, Lattice, Species, Structure

from chggen.errors import InputError
from chggen.generation.disorder import VACANT
from chggen.generation.disorder_reading import read_disorder
from chggen.generation.ordering_cells import OrderingCell, ordering_cell, other_cells
from chggen.generation.ordering_energies import of_charges
from chggen.generation.ordering_sites import OrderingSites
from chggen.generation.ordering_swaps import swapped
from chggen.generation.orderings import all_orderings, count_of_ways, distinct, drawn_orderings
from chggen.generation.oxidation_states import oxidation_states


def _fcc(**held: float) -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.0), [held], [[0, 0, 0]])


def test_sites_are_read_as_sublattices_of_the_primitive_cell() -> None:
    salt = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(4.2), [{"Li+": 0.5, "Co3+": 0.5}, "O2-"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    found = read_disorder(salt)
    assert found.frac.shape == (2, 3)
    assert sorted(map(dict, (s.occupancy for s in found.sublattices)), key=len) == [{"O": 1.0}, {"Co": 0.5, "Li": 0.5}]
    assert found.states == {"Li": 1.0, "Co": 3.0, "O": -2.0}
    assert found.composition == {"Co": 0.5, "Li": 0.5, "O": 1.0}
    assert not found.is_ordered
    assert read_disorder(Structure(Lattice.cubic(3), ["Po"], [[0, 0, 0]])).is_ordered


def test_equal_occupancies_on_different_sites_are_different_sublattices() -> None:
    """Rutile's positions with both kinds half filled by one species: symmetry tells them apart."""
    rutile = Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.6, 2.95), [{"Ti": 0.5}, {"Ti": 0.5}], [[0, 0, 0], [0.305, 0.305, 0]]
    )
    assert sorted(len(s.sites) for s in read_disorder(rutile).sublattices) == [2, 4]


@pytest.mark.parametrize(
    ("held", "occupancy"),
    [
        ({"Li": 0.333, "Na": 0.333, "K": 0.333}, {"K": 1 / 3, "Li": 1 / 3, "Na": 1 / 3}),
        ({"Li": 0.5}, {"Li": 0.5, VACANT: 0.5}),
        ({"Li": 0.99, "Na": 0.001}, {"Li": 1.0}),
    ],
)
def test_occupancies_that_do_not_add_up_exactly(held: dict[str, float], occupancy: dict[str, float]) -> None:
    (sublattice,) = read_disorder(Structure(Lattice.cubic(4), [held], [[0, 0, 0]])).sublattices
    assert sublattice.occupancy == pytest.approx(occupancy)


def test_ions_and_isotopes_are_elements_and_sites_written_twice_are_one() -> None:
    crystal = Structure(
        Lattice.cubic(4),
        [{Species("Fe", 2): 0.5, Species("Fe", 3): 0.25}, {"D": 0.3}, {"H": 0.4}],
        [[0, 0, 0], [0.5, 0.5, 0.5], [0.501, 0.5, 0.5]],
    )
    found = sorted((dict(s.occupancy) for s in read_disorder(crystal).sublattices), key=str)
    assert found == [
        pytest.approx({"Fe": 0.75, VACANT: 0.25}), pytest.approx({"H": 0.7, VACANT: 0.3})
    ]  # fmt: skip


def test_overfull_sites_and_overlapping_ones_are_refused() -> None:
    overfull = Structure(Lattice.cubic(4), ["Li"], [[0, 0, 0]])
    overfull.append("Na", [0.5, 0.5, 0.5])
    overfull[1].species._data = {next(iter(overfull[1].species)): 1.4}  # no reader lets that pass
    with pytest.raises(InputError, match=r"site 1 holds 1\.4 atoms \(Na 1\.4\)"):
        read_disorder(overfull)
    overlapping = Structure(Lattice.cubic(4), [{"Li": 0.5, "Na": 0.5}, "O"], [[0, 0, 0], [0.1, 0, 0]])
    with pytest.raises(InputError, match=r"sites 0 \(Li/Na\) and 1 \(O\) are always filled"):
        read_disorder(overlapping)


def _cell(structure: Structure, max_atoms: int = 60, tolerance: float = 0.1, **more: Any) -> OrderingCell:
    return ordering_cell(read_disorder(structure), max_atoms, tolerance, **more)


def test_the_smallest_cell_that_holds_the_occupancies() -> None:
    cell = _cell(_fcc(Cu=0.75, Au=0.25))
    assert (cell.cells, cell.species, cell.off) == (4, {"Cu": 3, "Au": 1}, 0.0)
    edges = Lattice(cell.matrix @ read_disorder(_fcc(Cu=0.75, Au=0.25)).lattice).abc
    assert edges == pytest.approx((4.0, 4.0, 4.0))  # the cube, not a rod
    assert _cell(_fcc(Cu=0.7, Au=0.3), tolerance=0.04).species == {"Cu": 5, "Au": 2}
    assert _cell(_fcc(Cu=0.7, Au=0.3), tolerance=0.2).species == {"Cu": 2, "Au": 1}
    assert _cell(_fcc(Cu=0.7, Au=0.3), composition={"Cu": 1, "Au": 1}, tolerance=0.5).species == {"Cu": 1, "Au": 1}


def test_oxidation_states_balance_the_cell() -> None:
    """Li(x)Mg(1-2x) □(x) … on a chloride's cation sites: 2 Li for each Mg that leaves."""
    salt = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.1), [{"Li+": 0.4, "Mg2+": 0.3}, "Cl-"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    cell = _cell(salt, tolerance=0.2)
    assert cell.neutral
    assert cell.species["Li"] + 2 * cell.species["Mg"] == cell.species["Cl"]


def test_what_no_cell_holds_is_refused_and_the_nearest_is_named() -> None:
    with pytest.raises(InputError, match=r"no cell of up to 2 atoms .* within 0\.01; the nearest is CuAu in 2 atoms"):
        _cell(_fcc(Cu=0.7, Au=0.3), max_atoms=2, tolerance=0.01)


def test_split_sites_are_filled_once() -> None:
    """Pairs of half-filled sites 0.8 Å apart, written with a little more than a half each."""
    split = Structure(
        Lattice.cubic(5), [{"Li": 0.54}, {"Li": 0.54}, "Cl"], [[0.42, 0, 0], [0.58, 0, 0], [0.5, 0.5, 0.5]]
    )
    disorder = read_disorder(split)
    cell = ordering_cell(disorder, 40, 0.1)
    assert cell.species["Li"] <= cell.cells
    sites = OrderingSites.of(disorder, cell)
    for held in drawn_orderings(sites, 5, 0):
        distances = sites.structure(held).distance_matrix
        assert distances[~np.eye(len(distances), dtype=bool)].min() > 1.2


@pytest.mark.parametrize(("cells", "shapes"), [(1, 1), (2, 2), (3, 3), (4, 7), (5, 5), (6, 10)])
def test_shapes_of_supercells_of_fcc_are_those_of_the_literature(cells: int, shapes: int) -> None:
    """Numbers of distinct superlattices of fcc: Hart and Forcade, Phys. Rev. B 77, 224115 (2008), table II."""
    disorder = read_disorder(_fcc(Cu=0.5, Au=0.5))
    smallest = OrderingCell(np.eye(3, dtype=int), ({"Cu": 1, "Au": 0, VACANT: 0},), 0.0, None)
    found = Counter(cell.cells for cell in (smallest, *other_cells(disorder, [smallest], cells)))
    assert found[cells] == shapes


@pytest.mark.parametrize(("cells", "structures"), [(2, 2), (3, 6), (4, 19)])
def test_orderings_of_fcc_are_those_of_the_literature(cells: int, structures: int) -> None:
    """Distinct binary structures with so many atoms in their primitive cell (the same paper)."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    disorder, found = read_disorder(_fcc(Cu=0.5, Au=0.5)), []
    for gold in range(1, cells):
        smallest = OrderingCell(np.eye(3, dtype=int), ({"Cu": cells - gold, "Au": gold},), 0.0, None)
        one = OrderingCell(np.eye(3, dtype=int), ({"Cu": 1},), 0.0, None)
        for cell in (one, *other_cells(disorder, [one], cells)):
            if cell.cells == cells:
                sites = OrderingSites.of(disorder, OrderingCell(cell.matrix, smallest.counts, 0.0, None))
                orderings = all_orderings(sites)
                assert orderings is not None
                assert sum(o.ways for o in orderings) == math.comb(cells, gold) == count_of_ways(sites)
                found += [sites.structure(o.held) for o in orderings]
    primitive = [s for s in found if len(s.get_primitive_structure(0.1)) == cells]
    assert len(StructureMatcher(scale=False).group_structures(primitive)) == structures


def test_charges_and_swaps_find_the_lowest_ordering() -> None:
    """Point charges ±1 on a cubic lattice: the lowest ordering is rock salt, with Madelung's energy."""
    disorder = read_disorder(
        Structure.from_spacegroup("Pm-3m", Lattice.cubic(3.0), [{"Na+": 0.5, "Cl-": 0.5}], [[0, 0, 0]])
    )
    cell = OrderingCell(np.diag([2, 2, 2]), ({"Na": 4, "Cl": 4},), 0.0, True)
    sites = OrderingSites.of(disorder, cell)
    energies = of_charges(sites, {"Na": 1.0, "Cl": -1.0})
    orderings = all_orderings(sites)
    assert energies is not None
    assert orderings is not None
    every = energies(np.array([o.held for o in orderings]))
    # Madelung's energy of rock salt with a distance of 3 Å, four pairs of ions
    assert every.min() == pytest.approx(-4 * 1.747565 * 14.39964 / 3.0, rel=1e-4)
    start = drawn_orderings(sites, 8, 3)
    seen, values = swapped(sites, start, energies, 60, float(energies(start).std()), 0)
    assert values.min() == pytest.approx(every.min())
    assert len(distinct(sites, seen)) <= len(orderings)
    assert of_charges(sites, {"Na": 1.0}) is None


def test_dummies_are_no_species_of_crystals() -> None:
    with pytest.raises((InputError, ValueError, AttributeError)):
        read_disorder(Structure(Lattice.cubic(3), [{DummySpecies("X"): 0.5}], [[0, 0, 0]]))


def _salt(**held: float) -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.2), [held, "O2-"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_states_of_one_element_are_averaged_by_occupancy() -> None:
    wuestite = _salt(**{"Fe2+": 0.6, "Fe3+": 0.2})
    assert read_disorder(wuestite).states == pytest.approx({"Fe": 2.25, "O": -2.0})
    on_sites = Structure(
        Lattice.orthorhombic(4, 5, 6), [{"Mn3+": 0.5}, "Mn4+", "O2-"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0, 0]]
    )
    assert read_disorder(on_sites).states == pytest.approx({"Mn": (0.5 * 3 + 4) / 1.5, "O": -2.0})


def test_given_states_stay_though_they_do_not_balance() -> None:
    salt = _salt(**{"Li+": 0.5, "Co2+": 0.5})
    assert read_disorder(salt).states == {"Li": 1.0, "Co": 2.0, "O": -2.0}
    assert _cell(salt).neutral is None
    assert read_disorder(_salt(**{"Li0+": 0.5, "Co0+": 0.5})).states["O"] == -2.0  # one given state is no zero


def test_states_that_are_given_in_part_or_all_as_zero_are_guessed() -> None:
    salt = _salt(Li=0.5, Co=0.5)
    assert read_disorder(salt).states == {"Li": 1.0, "Co": 3.0, "O": -2.0}
    salt.remove_oxidation_states()
    salt.add_oxidation_state_by_element({"Li": 0, "Co": 0, "O": 0})
    assert read_disorder(salt).states == {"Li": 1.0, "Co": 3.0, "O": -2.0}


@pytest.mark.parametrize(
    ("formula", "states"),
    [
        ("LiMn2O4", {"Li": 1, "Mn": 3.5, "O": -2}),
        ("Fe3O4", {"Fe": 8 / 3, "O": -2}),
        ("LiFe3O4", {"Li": 1, "Fe": 7 / 3, "O": -2}),
        ("Li0.55CoO2", {"Li": 1, "Co": 3.45, "O": -2}),
        ("Li0.5FePO4", {"Li": 1, "Fe": 2.5, "P": 5, "O": -2}),
        ("Li0.5FeSiO4", {"Li": 1, "Fe": 3, "Si": 4, "O": -2}),  # beyond what iron has
        ("La0.7Sr0.3MnO3", {"La": 3, "Sr": 2, "Mn": 3.3, "O": -2}),
        ("LiNi0.5Mn1.5O4", {"Li": 1, "Ni": 2, "Mn": 4, "O": -2}),
        ("LiNi0.333Mn0.333Co0.333O2", {"Li": 1, "Ni": 2, "Mn": 4, "Co": 3, "O": -2}),
        ("Li0.388Ta0.238La0.475Cl3", {"Li": 1, "Ta": 5, "La": 3, "Cl": -1}),
        ("Li3.4Si0.4P0.6S4", {"Li": 1, "Si": 4, "P": 5, "S": -2}),
        ("Li1.3Al0.3Ti1.7P3O12", {"Li": 1, "Al": 3, "Ti": 4, "P": 5, "O": -2}),
        ("Li6.35P0.65Si0.35S5Br", {"Li": 1, "P": 5, "Si": 4, "S": -2, "Br": -1}),
        ("Ce0.8Gd0.2O1.9", {"Ce": 4, "Gd": 3, "O": -2}),
        ("FeS2", {"Fe": 2, "S": -1}),
        ("La12Zr8Li22.3Fe0.756O48", {"La": 3, "Zr": 4, "Li": 1, "Fe": 3, "O": -2}),  # misses lithium: charged by 0.04
        ("Cu3Au", {}),
        ("CuZn", {}),
        ("Cu", {"Cu": 0}),
    ],
)
def test_states_are_the_commonest_that_balance_amounts_as_they_are(formula: str, states: dict[str, float]) -> None:
    assert oxidation_states(Composition(formula).get_el_amt_dict()) == pytest.approx(states)


def test_whole_states_are_exact() -> None:
    """Cells are balanced to 1e-6, which solutions of linear programs may miss."""
    found = oxidation_states({"Li": 0.388, "Ta": 0.238, "La": 0.475, "Cl": 3.0})
    assert all(state.is_integer() for state in found.values())


@pytest.mark.parametrize("lithium", [0.5, 0.62])
def test_mixed_valence_balances_any_cell(lithium: float) -> None:
    layered = Structure.from_spacegroup(
        "R-3m", Lattice.hexagonal(2.83, 14.1), [{"Li": lithium}, "Co", "O"], [[0, 0, 0.5], [0, 0, 0], [0, 0, 0.24]]
    )
    assert read_disorder(layered).states == pytest.approx({"Li": 1, "Co": 4 - lithium, "O": -2})
    cell = _cell(layered)
    assert cell.neutral
    assert abs(cell.species["Li"] / cell.species["Co"] - lithium) < 0.1


def test_a_cell_that_is_not_neutral_is_taken_where_none_is() -> None:
    """Two sites of Na0.5Mg0.25Cl: only two sodium, or one magnesium, balance them, and miss occupancies by a half."""
    salt = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.3), [{"Na+": 0.5, "Mg2+": 0.25}, "Cl-"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    assert _cell(salt, tolerance=0.02).neutral
    cell = _cell(salt, max_atoms=4, tolerance=0.3)
    assert cell.neutral is False
    assert cell.off == pytest.approx(0.25)
