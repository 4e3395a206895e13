from __future__ import annotations

import math
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chggen.errors import InputError
from chggen.stability.decomposition import hull
from chggen.stability.energies_above_hull import above_hull
from chggen.stability.reaction import reduced_label
from chggen.stability.references import ReferenceEntry, References


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


def test_products_are_a_balanced_reaction_and_atom_fractions():
    position = hull("Li5Si3", -3.0, references=BINARY)
    assert position.products == "Li5Si3 -> Li3Si + 2 LiSi"
    assert position.product_ids == ("li3si", "lisi")
    assert position.product_fractions == pytest.approx((4 / 8, 4 / 8))
    doubled = hull("Li10Si6", -3.0, references=BINARY)
    assert doubled.products == position.products  # of one formula unit
    third = hull("Li4Si3", -3.0, references=BINARY)
    assert third.products == "Li4Si3 -> 2.5 LiSi + 0.5 Li3Si"
    assert third.product_fractions == pytest.approx((5 / 7, 2 / 7))


@given(st.lists(st.integers(1, 9), min_size=3, max_size=3))
def test_reactions_are_balanced(counts):
    from pymatgen.core import Composition

    references = random_table(["Li", "P", "S"], 30, seed=1)
    asked = Composition(dict(zip(["Li", "P", "S"], counts, strict=True))).reduced_composition
    left, right = hull(asked.formula.replace(" ", ""), 0.0, references=references).products.split(" -> ")
    total = Composition({})
    for term in right.split(" + "):
        amount, _, name = term.rpartition(" ")
        total += float(amount or 1) * Composition(name)
    assert Composition(left) == asked
    for element, n in asked.items():
        assert total[element] == pytest.approx(n, abs=0.003)  # amounts have four digits


def test_ternary_reaction_by_hand():
    references = table(
        ("zn", "Zn", -1.0), ("p", "P", -5.0), ("s", "S", -4.0), ("zns", "ZnS", -3.5), ("p2s5", "P2S5", -4.8)
    )
    position = hull("ZnP2S6", -4.6, references=references)
    assert position.products == "ZnP2S6 -> P2S5 + ZnS"
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
    assert position.reason == "no r2scan reference energies, only pbe ones, and different levels cannot be compared"


def test_refusals():
    with pytest.raises(InputError, match="no reference entry with id mp-nothing"):
        hull("LiSi", -3.0, without=["mp-nothing"], references=BINARY)
    with pytest.raises(InputError, match="at the levels pbe and r2scan, not at 'lda'; energies of different levels"):
        hull("LiSi", -3.0, level="lda", references=BINARY)
    with pytest.raises(InputError, match="unknown element"):
        hull("LiXx", -3.0, references=BINARY)


@given(st.integers(1, 8), st.integers(1, 8), st.floats(-1.0, 1.0))
def test_no_reference_lies_below_the_hull(n_li, n_si, shift):
    position = hull(f"Li{n_li}Si{n_si}", -3.0, references=BINARY)
    moved = hull(f"Li{n_li}Si{n_si}", -3.0 + shift, references=BINARY)
    assert moved.e_decomposition - position.e_decomposition == pytest.approx(shift, abs=1e-9)
    assert sum(position.product_fractions) == pytest.approx(1.0)
    entries = BINARY.system(["Li", "Si"], "pbe")
    assert len(entries) > 2  # the elements and what lies between them
    for entry in entries:
        assert hull(entry.formula, entry.energy_per_atom, references=BINARY).e_decomposition >= -1e-6


def random_table(elements, n_phases, seed):
    """Phases of random compositions of up to six of each element, some bound and some not, elements at −k eV/atom."""
    rng = np.random.default_rng(seed)
    own = {symbol: -1.0 - k for k, symbol in enumerate(elements)}
    rows = [(f"pure-{symbol}", symbol, energy) for symbol, energy in own.items()]
    for k in range(n_phases):
        chosen = rng.choice(elements, rng.integers(1, len(elements) + 1), replace=False)
        counts = {str(symbol): int(rng.integers(1, 7)) for symbol in chosen}
        mean = sum(own[symbol] * n for symbol, n in counts.items()) / sum(counts.values())
        height = rng.normal(-0.2, 0.3) if len(counts) > 1 else rng.exponential(0.1)
        rows.append((f"r{k}", "".join(f"{symbol}{n}" for symbol, n in counts.items()), mean + height))
    return table(*rows)


@pytest.mark.parametrize("n_elements", [1, 2, 3, 4, 5])
def test_hulls_are_pymatgens(n_elements):
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.core import Composition

    elements = ["Li", "P", "S", "Zn", "O"][:n_elements]
    references = random_table(elements, 15 * n_elements, seed=n_elements)
    entries = [
        PDEntry(Composition(str(f)), float(e) * Composition(str(f)).num_atoms)
        for f, e in zip(references.formulas, references.energies[:, 0], strict=True)
    ]
    diagram = PhaseDiagram(entries)
    expected = [diagram.get_e_above_hull(entry) for entry in entries]
    np.testing.assert_allclose(above_hull(references, "pbe"), expected, atol=2e-6)
    for formula in ("".join(elements), "".join(f"{e}{k + 2}" for k, e in enumerate(elements))):
        parts, energy = diagram.get_decomp_and_hull_energy_per_atom(Composition(formula))
        position = hull(formula, 0.0, references=references)
        assert position.e_decomposition == pytest.approx(-energy, abs=1e-6)
        assert len(position.product_ids) == len(parts)


def test_eight_elements_are_a_matter_of_milliseconds():
    elements = ["Li", "Na", "Mn", "Fe", "P", "S", "O", "H"]
    references = random_table(elements, 600, seed=0)
    formula = "".join(elements)
    hull(formula, 0.0, references=references)  # reads the phases
    start = time.process_time()
    position = hull(formula, 0.0, references=references)
    assert time.process_time() - start < 0.05
    assert 1 <= len(position.product_ids) <= 8


def test_a_system_without_an_element_has_no_hull():
    references = table(("li", "Li", -2.0), ("lisi", "LiSi", -4.0), ("li2", "Li", -1.5))
    np.testing.assert_allclose(above_hull(references, "pbe"), [0.0, np.nan, 0.5])
    assert np.isnan(above_hull(references, "r2scan")).all()


def test_products_that_are_static_are_named():
    references = References.from_entries(
        ReferenceEntry(id=f, formula=f, level="pbe", energy_per_atom=e, relaxed=f != "LiSi", drop=drop)
        for f, e, drop in (("Li", -2.0, 0.01), ("Si", -5.0, 0.03), ("LiSi", -3.9, math.nan), ("Li2Si", -2.0, 0.015))
    )
    position = hull("Li2Si", -3.0, references=references)
    assert position.products == "Li2Si -> LiSi (static) + Li"
    assert position.static_products == ("LiSi",)
    assert position.static_excess == pytest.approx(0.015)  # the median
    assert hull("Li", -3.0, references=references).static_products == ()
    assert hull("Li", -3.0, references=references).static_excess is None


def test_does_not_import_torch():
    code = (
        "import sys; from chggen.stability import hull;"
        "from chggen.stability.references import ReferenceEntry as E, References as R;"
        "r = R.from_entries([E(id='a', formula='Li', level='pbe', energy_per_atom=-2.0)]);"
        "assert hull('Li', -1.0, references=r).e_decomposition == 1.0; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_name_of_a_composition_is_kept_unless_a_program_wrote_it() -> None:
    assert reduced_label("ZnP2S6") == "ZnP2S6"  # as it was asked for, not Zn(PS3)2
    assert reduced_label("Mg1H3") == "MgH3"
    assert reduced_label("Zn10O10") == "ZnO"
    assert reduced_label("Al13Fe4") == "Al13Fe4"
