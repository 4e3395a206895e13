"""Which Wyckoff positions species take, by the letters of the International Tables."""

from __future__ import annotations

import pytest
from pymatgen.core import Lattice, Structure

from chggen.symmetry import taken_positions

SPINEL = Structure.from_spacegroup(227, Lattice.cubic(8.08), ["Mg", "Al", "O"], [[0.125] * 3, [0.5] * 3, [0.2624] * 3])
QUARTZ = Structure.from_spacegroup(
    "P3_221", Lattice.hexagonal(4.916, 5.405), ["Si", "O"], [[0.4697, 0, 2 / 3], [0.4135, 0.2669, 0.7858]]
)


@pytest.mark.parametrize(
    ("crystal", "number", "letters", "freedom"),
    [(SPINEL, 227, {"Mg": "a", "Al": "d", "O": "e"}, 1), (QUARTZ, 154, {"Si": "a", "O": "c"}, 4)],
)
def test_letters_are_those_of_the_tables(
    crystal: Structure, number: int, letters: dict[str, str], freedom: int
) -> None:
    for one, primitive in ((crystal, number == 154), (crystal.get_primitive_structure(), True)):
        found = taken_positions(one, 0.01)
        assert found is not None
        assert found.number == number
        assert {s: len(w) for s, w in found.letters.items()} == {s: len(w) for s, w in letters.items()}
        assert found.freedom == freedom
        assert found.primitive == primitive
        if number == 154:
            assert dict(found.letters) == letters


def test_what_has_no_symmetry_takes_the_general_position() -> None:
    found = taken_positions(QUARTZ.copy().perturb(0.2, seed=0), 0.01)
    assert found is not None
    assert (found.number, found.freedom) == (1, 27)
    assert dict(found.letters) == {"Si": "aaa", "O": "aaaaaa"}
