"""How many ions a framework takes, and which of them leave first."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from chggen.generation import ions_with_room, most_known, redox_room, vacancy_orderings

OLIVINE = Structure.from_spacegroup(
    "Pnma",
    Lattice.orthorhombic(9.81, 5.79, 4.78),
    ["Fe", "P", "O", "O", "O"],
    [[0.275, 0.25, 0.948], [0.094, 0.25, 0.396], [0.122, 0.25, 0.709], [0.439, 0.25, 0.16], [0.167, 0.045, 0.251]],
)
LAYERED = Structure.from_spacegroup(
    "P-3m1", Lattice.hexagonal(3.41, 5.7), ["Ti", "S"], [[0, 0, 0], [1 / 3, 2 / 3, 0.25]]
)
SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.2), ["Li", "O"], [[0.25, 0.25, 0.25], [0, 0, 0]])


def test_iron_phosphate_takes_one_lithium_by_redox_and_by_sites() -> None:
    assert redox_room(OLIVINE, "Li", 0, 1, False) == pytest.approx(4)  # Fe3+ to Fe2+
    assert redox_room(OLIVINE, "Mg", 0, 2, False) == pytest.approx(2)
    assert redox_room(OLIVINE, "Li", 4, 1, False) == pytest.approx(0)  # Fe2+ already
    assert most_known(OLIVINE, "Li", 4) == 4
    assert 4 <= ions_with_room(OLIVINE, "Li", 400) < 40


def test_anions_oxidise() -> None:
    manganese = Structure(Lattice.cubic(4.4), ["Mn", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert redox_room(manganese, "F", 0, 1, True) == pytest.approx(5)  # Mn2+ to Mn7+
    assert redox_room(manganese, "Li", 0, 1, False) == pytest.approx(0)


def test_what_no_states_balance_has_no_limit() -> None:
    odd = Structure(Lattice.cubic(6), ["Li", "Li", "Li", "F"], [[0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0.5, 0.5, 0.5]])
    assert redox_room(odd, "Na", 0, 1, False) is None


def test_room_ends_where_atoms_would_touch() -> None:
    assert 1 <= ions_with_room(LAYERED, "Li", 100) <= 3
    assert ions_with_room(LAYERED, "Cs", 100) == 0
    assert ions_with_room(OLIVINE, "Li", 2) == 2


def test_vacancies_are_distinct_under_the_group() -> None:
    lithium = [i for i, site in enumerate(SALT) if site.specie.symbol == "Li"]
    assert len(lithium) == 8
    # Corners of a cube: one taken is one way; two are an edge, a face diagonal or a body diagonal apart.
    assert len(vacancy_orderings(SALT, lithium, 1)) == 1
    assert len(vacancy_orderings(SALT, lithium, 2)) == 3
    assert len(vacancy_orderings(SALT, lithium, 4)) == 6  # with improper operations
    assert vacancy_orderings(SALT, lithium, 0) == [[]]
    assert vacancy_orderings(SALT, lithium, 9) == []
    (all_out,) = vacancy_orderings(SALT, lithium, 8)
    assert sorted(all_out) == lithium


def test_ions_that_stay_apart_come_first() -> None:
    row = Structure(
        Lattice.orthorhombic(12, 3, 3), ["Li"] * 4 + ["O"], [[k / 4, 0, 0] for k in range(4)] + [[0.1, 0.5, 0.5]]
    )
    first = vacancy_orderings(row, [0, 1, 2, 3], 2)[0]
    left = sorted(set(range(4)) - set(first))
    assert np.diff(left)[0] == 2


def test_too_many_ways_are_drawn_the_same_each_time() -> None:
    many = SALT * (2, 2, 1)
    lithium = [i for i, site in enumerate(many) if site.specie.symbol == "Li"]
    once, again = (vacancy_orderings(many, lithium, 16, seed=1) for _ in range(2))
    assert once == again
    assert len(once) > 100
