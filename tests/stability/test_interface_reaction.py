"""Reactions of two crystals against one that is worked out by hand."""

from __future__ import annotations

import pytest

from chggen.stability import References, reaction_of_crystals
from chggen.stability.reference_entry import ReferenceEntry


def _table(**energies: float) -> References:
    return References.from_entries(
        ReferenceEntry(id=formula, formula=formula, level="pbe", energy_per_atom=energy, relaxed=formula != "MgO")
        for formula, energy in energies.items()
    )


BINARY = {"Li": -2.0, "Mg": -1.5, "O": -5.0, "Li2O": -5.0, "MgO": -6.0}


def test_a_reaction_and_its_bonds() -> None:
    found = reaction_of_crystals("Li", "MgO", "pbe", _table(**(BINARY | {"MgO": -4.0, "Li2O": -5.5})))
    # 2 Li + MgO -> Li2O + Mg; of 4 atoms 2 are of Li
    assert not isinstance(found, str)
    assert found.share == pytest.approx(0.5)
    assert found.energy == pytest.approx((3 * -5.5 - 1.5 - 2 * -2.0 - 2 * -4.0) / 4)
    assert sorted(found.products) == ["Li2O", "Mg"]
    assert found.has_bond("O", "Li")
    assert found.has_bond("Mg", "Mg")
    assert not found.has_bond("Mg", "O")
    assert not found.has_bond("Li", "Li")


def test_a_product_that_was_not_relaxed_is_marked() -> None:
    found = reaction_of_crystals("Mg", "Li2O", "pbe", _table(**(BINARY | {"MgO": -8.0})))
    assert not isinstance(found, str)
    assert sorted(found.products) == ["Li", "MgO (static)"]
    assert found.has_bond("Mg", "O")


@pytest.mark.parametrize(
    ("first", "second", "level", "said"),
    [
        ("Li2O", "Li4O2", "pbe", "no reaction of Li2O with itself"),
        ("Li2O", "Mg", "emt", "no energies at level emt"),
        ("Li2O", "Ca", "pbe", "no energy of Ca at level pbe"),
    ],
)
def test_what_cannot_be_told_is_said(first: str, second: str, level: str, said: str) -> None:
    found = reaction_of_crystals(first, second, level, _table(**BINARY))
    assert isinstance(found, str)
    assert said in found


def test_crystals_that_do_not_react_have_no_products() -> None:
    found = reaction_of_crystals("Li2O", "MgO", "pbe", _table(**BINARY))
    assert not isinstance(found, str)
    assert (found.energy, found.products) == (0.0, ())
