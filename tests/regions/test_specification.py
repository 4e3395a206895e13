"""Regions and atoms in words."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from chggen.errors import InputError
from chggen.regions import atoms_of, region_of, regions_of, vacuum_gap

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.2), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
SLAB = Structure(Lattice.tetragonal(3.0, 20.0), ["Pt"] * 3, [[0, 0, 0.1], [0.5, 0.5, 0.2], [0, 0, 0.3]])
WORDS = (
    "z",
    "sphere",
    "near",
    "not",
    "and",
    "or",
    "vacuum",
    "Mg",
    "0",
    "1.5",
    "nan",
    "-3",
    "box",
    "plane",
    "0,2-3",
    ",",
)


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("Mg", 4), ("Mg,O", 8), ("0,4-7", 5), ("0-0", 1), ("z 0 1", 4), ("z 1 3 and O", 2), ("not Mg", 4),
        ("sphere 0 0 0 2.2", 4), ("near 0 2.2", 4), ("near 0 2.2 and not Mg", 3), ("Mg or near 0 2.2", 7),
        ("box 0 0.4 0 0.4 0 0.4", 1), ("cylinder 0 0 0 z 0.5", 2), ("x 0 1", 4), ("plane 1 1 1 0 1", 4),
        ("not not Mg", 4), ("z 0 1 or z 2 3 and O", 6),
    ],
)  # fmt: skip
def test_atoms_are_chosen(text: str, n: int) -> None:
    assert atoms_of(text, SALT).sum() == n


def test_several_texts_choose_what_any_of_them_does() -> None:
    assert atoms_of(["Mg", "0", "4"], SALT).sum() == 5


def test_species_have_regions_of_their_own() -> None:
    found = regions_of(["z 0 1", "O: z 2 3", "O:sphere 0 0 0 0.5"], SALT)
    assert set(found) == {"", "O"}
    at = np.array([[1.0, 1.0, 0.5], [1.0, 1.0, 2.5], [0.0, 0.0, 0.2]])
    assert found[""].contains(at).tolist() == [True, False, True]
    assert found["O"].contains(at).tolist() == [False, True, True]


def test_the_vacuum_of_a_slab_begins_three_angstrom_above_it() -> None:
    heights = np.array([[0, 0, h] for h in (6.0, 8.9, 9.1, 18.0, 18.9, 19.1, 1.0)])
    assert region_of("vacuum", SLAB).contains(heights).tolist() == [False, False, True, True, True, False, False]
    gap = vacuum_gap(SLAB)
    assert gap is not None
    assert gap.thickness == pytest.approx(16.0)
    assert vacuum_gap(SALT) is None


def test_a_vacuum_across_the_face_of_the_cell_is_one() -> None:
    middle = SLAB.copy()
    middle.translate_sites([0, 1, 2], [0, 0, 0.3])
    assert region_of("vacuum", middle).contains(np.array([[0, 0, 0.0], [0, 0, 19.9], [0, 0, 10.0]])).tolist() == [
        True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no region"), ("z 1", "expected 2 numbers"), ("z a b", "expected 2 numbers"), ("b 1", "is no region"),
        ("sphere 0 0 0 -1", "radius above 0"), ("z 1 nan", "expected 2 numbers"), ("vacuum", "no vacuum"),
        ("near Xx 2", "names no atoms"), ("near 0-99 2", "there are no atoms 0-99"), ("z 1 2 and", "is no region"),
        ("not", "is no region"), ("plane 0 0 0 1 2", "not all 0"), ("plane 0.5 1 0 1 2", "whole numbers"),
        ("Mg", "is no region"), ("z 6 9", "outside the cell"), ("box 0 0 0 1 0 1", "lower to higher"),
    ],
)  # fmt: skip
def test_what_is_no_region_is_refused_in_a_sentence(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        region_of(text, SALT)
    assert len(str(raised.value)) <= 290


def test_choosing_no_atom_is_refused() -> None:
    with pytest.raises(InputError, match=r"'z 0\.5 1' chooses no atom of Mg4 O4, whose atoms lie at z 0\.0 to"):
        atoms_of("z 0.5 1", SALT)


@given(st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join))
def test_any_words_are_a_choice_or_refused(text: str) -> None:
    for read in (region_of, atoms_of):
        with suppress(InputError):
            read(text, SALT)


@pytest.mark.parametrize("text", ["sphere 5 5 13 2", "cylinder 5 5 5 z 2"])
def test_points_in_angstrom_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="expected fractional coordinates, from 0 to 1"):
        region_of(text, SALT)
