"""Formulas as they are typed, and the compositions of a system."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chggen.campaign import GenerateOptions
from chggen.crystals.composition import SYMBOLS, compositions, parse_formula, plain_text, reduced
from chggen.errors import InputError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Zn2P4S12", {"Zn": 2, "P": 4, "S": 12}),
        ("Ca(OH)2", {"Ca": 1, "O": 2, "H": 2}),
        ("Al2[Si(OH)2]3", {"Al": 2, "Si": 3, "O": 6, "H": 6}),
        (" Zn P2 S6 ", {"Zn": 1, "P": 2, "S": 6}),
        ("Li₅Si₂", {"Li": 5, "Si": 2}),
        ("CO", {"C": 1, "O": 1}),
        ("Co", {"Co": 1}),
        ("NaN", {"Na": 1, "N": 1}),
        ("CH3CH3", {"C": 2, "H": 6}),
    ],
)
def test_formula_as_typed(text, expected):
    assert parse_formula(text) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("Zz2", "unknown element 'Zz'"),
        ("nacl", "capital"),
        ("Zn0P", "zero"),
        ("Zn-1", "'-'"),
        ("Li0.5CoO2", "fractional"),
        ("Li2.CoO2", "fractional"),
        ("Li.5", "fractional"),
        ("Ca(OH", "never closed"),
        ("CaOH)2", "unmatched"),
        ("Ca(OH]2", "unmatched"),
        ("Ca()2", "empty bracket"),
        ("Ca(OH)0", "zero"),
        ("2H2O", "cannot read"),
        ("Fe2+", "cannot read"),
        ("H" + "9" * 5000, "more than"),
        ("(" * 3000 + "H" + ")9" * 3000, "more than"),
    ],
)
def test_refused_in_one_sentence(text, says):
    with pytest.raises(InputError, match=re.escape(says)) as refusal:
        parse_formula(text)
    assert "\n" not in str(refusal.value)


@given(st.lists(st.tuples(st.sampled_from(SYMBOLS), st.integers(1, 50)), min_size=1, max_size=8))
def test_what_is_written_is_read(parts):
    expected: dict[str, int] = {}
    for symbol, n in parts:
        expected[symbol] = expected.get(symbol, 0) + n
    assert parse_formula("".join(f"{symbol}{n}" for symbol, n in parts)) == expected
    assert parse_formula("(" + "".join(f"{symbol}{n}" for symbol, n in parts) + ")3") == {
        symbol: 3 * n for symbol, n in expected.items()
    }


@given(st.text(max_size=20) | st.text(alphabet="ZnPSOli0123.()[]- ", max_size=20))
def test_any_text_is_read_or_refused(text):
    try:
        species = parse_formula(text)
    except InputError:
        return
    assert species
    assert all(symbol in SYMBOLS and type(n) is int and n > 0 for symbol, n in species.items())


@pytest.mark.parametrize(("typed", "plain"), [("Na Cl", "NaCl"), (" Zn P2\tS6 ", "ZnP2S6"), ("Li₃PS₄", "Li3PS4")])
def test_candidates_are_named_after_the_formula_without_spaces_and_subscripts(typed: str, plain: str) -> None:
    assert GenerateOptions(formula=typed) == GenerateOptions(formula=plain)
    assert plain_text(typed) == plain


def test_reduced_divides_by_the_common_divisor():
    assert reduced({"Zn": 2, "P": 4, "S": 12}) == {"P": 2, "S": 6, "Zn": 1}
    assert reduced({"O": 4}) == {"O": 1}


def test_compositions_of_a_system_are_reduced_and_each_comes_once() -> None:
    found = compositions(["Li", "Si"], 20)
    assert len(found) == sum(math.gcd(a, b) == 1 for a in range(1, 20) for b in range(1, 21 - a))
    assert found[0] == {"Li": 1, "Si": 1}
    assert {"Li": 12, "Si": 7} in found
    mixtures = compositions(["Li", "P", "S"], 8, [{"Li": 2, "S": 1}, {"P": 2, "S": 5}])
    assert mixtures == [{"Li": 1, "P": 1, "S": 3}, {"Li": 3, "P": 1, "S": 4}]
