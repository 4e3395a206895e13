from __future__ import annotations

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chggen.config import InputError
from chggen.decomposition import hull, known_ids
from chggen.references import ReferenceEntry, References


def table(*rows, level="pbe"):
    return References.from_entries(
        ReferenceEntry(id=name, formula=formula, level=level, energy_per_atom=energy) for name, formula, energy in rows
    )


# Li–Si by hand. Formation energies, eV/atom: Li3Si −0.30 (x_Si = 1/4), LiSi −0.40 (1/2), a polymorph of LiSi −0.20
# and LiSi3 −0.10 above the tie line LiSi–Si (which is −0.20 at 3/4).
BINARY = table(
    ("li", "Li", -2.0),
    ("li-hcp", "Li2", -1.9),
    ("si", "Si2", -5.0),
    ("li3si", "Li3Si", -2.75 - 0.30),
    ("lisi", "LiSi", -3.5 - 0.40),
    ("lisi-b", "Li4Si4", -3.5 - 0.20),
    ("lisi3", "LiSi3", -4.25 - 0.10),
)


@pytest.mark.parametrize(
    ("formula", "formation", "expected"),
    [
        ("LiSi", -0.40, 0.0),  # the known phase again
        ("LiSi", -0.45, -0.05),  # breaks the hull: signed
        ("LiSi", -0.20, 0.20),
        ("Li5Si3", -0.30, 0.05),  # half way between Li3Si and LiSi: hull at −0.35
        ("LiSi3", -0.10, 0.10),  # tie line LiSi–Si at −0.20
        ("Li7Si", 0.0, 0.15),  # tie line Li–Li3Si, x = 1/8: −0.15
        ("Si4", 0.02, 0.02),
        ("Li", -0.01, -0.01),
    ],
)
def test_binary_by_hand(formula, formation, expected):
    from pymatgen.core import Composition

    x = Composition(formula).get_atomic_fraction("Si")
    position = hull(formula, -2.0 - 3.0 * x + formation, references=BINARY)
    assert position.e_decomposition == pytest.approx(expected, abs=1e-6)
    assert position.e_hull == pytest.approx(max(0.0, expected), abs=1e-6)
    assert position.reason is None


def test_products_are_mole_fractions():
    position = hull("Li5Si3", -3.0, references=BINARY)
    # Li5Si3 = Li3Si + 2 LiSi
    assert position.products == "0.67 LiSi + 0.33 Li3Si"
    assert position.product_ids == ("lisi", "li3si")
    assert position.product_fractions == pytest.approx((2 / 3, 1 / 3))


def test_ternary_reaction_by_hand():
    references = table(
        ("zn", "Zn", -1.0), ("p", "P", -5.0), ("s", "S", -4.0), ("zns", "ZnS", -3.5), ("p2s5", "P2S5", -4.8)
    )
    position = hull("ZnP2S6", -4.6, references=references)
    assert position.products == "0.50 P2S5 + 0.50 ZnS"
    assert position.e_decomposition == pytest.approx(-4.6 - (2 * -3.5 + 7 * -4.8) / 9, abs=1e-6)
    doubled = hull("Zn2P4S12", -4.6, references=references)
    assert doubled.e_decomposition == pytest.approx(position.e_decomposition)


def test_without_gives_the_decomposition_enthalpy():
    # without LiSi and its polymorph the tie line Li3Si–Si is at −0.20 for x = 1/2
    position = hull("LiSi", -3.9, without=["lisi", "lisi-b"], references=BINARY)
    assert position.e_decomposition == pytest.approx(-0.20, abs=1e-6)
    assert set(position.product_ids) == {"li3si", "si"}
    assert hull("LiSi", -3.9, references=BINARY).e_decomposition == pytest.approx(0.0, abs=1e-6)


def test_missing_references_are_a_reason():
    for formula, missing in (("LiO", "element O"), ("ZnO2", "elements O, Zn")):
        position = hull(formula, -3.0, references=BINARY)
        assert position.e_decomposition is None
        assert position.e_hull is None
        assert missing in (position.reason or "")
    assert "element Li" in (hull("LiSi", -3.0, without=["li", "li-hcp"], references=BINARY).reason or "")
    empty = hull("LiSi", -3.0, references=References.from_entries([]))
    assert empty.reason == "the reference table holds no entries"
    assert "nan" in (hull("LiSi", math.nan, references=BINARY).reason or "")


def test_levels_never_mix():
    position = hull("LiSi", -3.9, level="r2scan", references=BINARY)
    assert position.e_decomposition is None
    assert position.reason == "no r2scan reference energy for the elements Li, Si"


def test_refusals():
    with pytest.raises(InputError, match="no reference entry with id mp-nothing"):
        hull("LiSi", -3.0, without=["mp-nothing"], references=BINARY)
    with pytest.raises(InputError, match="unknown level"):
        hull("LiSi", -3.0, level="lda", references=BINARY)
    with pytest.raises(InputError, match="unknown element"):
        hull("LiXx", -3.0, references=BINARY)


def test_known_ids():
    assert known_ids("Li2Si2", references=BINARY) == ["lisi", "lisi-b"]
    assert known_ids("Li9Si", references=BINARY) == []
    assert known_ids("LiSi", "r2scan", references=BINARY) == []


@given(st.integers(1, 8), st.integers(1, 8), st.floats(-1.0, 1.0))
def test_no_reference_lies_below_the_hull(n_li, n_si, shift):
    position = hull(f"Li{n_li}Si{n_si}", -3.0, references=BINARY)
    moved = hull(f"Li{n_li}Si{n_si}", -3.0 + shift, references=BINARY)
    assert moved.e_decomposition - position.e_decomposition == pytest.approx(shift, abs=1e-9)
    assert sum(position.product_fractions) == pytest.approx(1.0)
    for entry in BINARY.system(["Li", "Si"], "pbe"):
        assert hull(entry.formula, entry.energy_per_atom, references=BINARY).e_decomposition >= -1e-6


def test_does_not_import_torch():
    code = (
        "import sys; from chggen.decomposition import hull;"
        "from chggen.references import ReferenceEntry as E, References as R;"
        "r = R.from_entries([E(id='a', formula='Li', level='pbe', energy_per_atom=-2.0)]);"
        "assert hull('Li', -1.0, references=r).e_decomposition == 1.0; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
