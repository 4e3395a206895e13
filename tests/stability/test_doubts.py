"""What is said beside a decomposition energy that is doubtful."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chggen.stability import hull, joined_doubts
from chggen.stability.references import ReferenceEntry, References


def table(*rows, level="pbe", relaxed=True):
    return References.from_entries(
        ReferenceEntry(id=formula, formula=formula, level=level, energy_per_atom=energy, relaxed=relaxed)
        for formula, energy in rows
    )


# Li–Si: LiSi at −0.4 eV/atom of formation, Li3Si at −0.3, Li2Si above the line between them.
KNOWN = (("Li", -2.0), ("Si", -5.0), ("LiSi", -3.9), ("Li3Si", -3.05), ("Li2Si", -3.0))


def test_a_place_among_known_phases_is_not_doubtful():
    assert hull("LiSi", -3.9, references=table(*KNOWN)).warning is None
    assert hull("Li4Si2", -3.0, references=table(*KNOWN)).warning is None
    assert hull("Si", -5.0, references=table(*KNOWN)).warning is None  # an element decomposes into itself


@pytest.mark.parametrize(
    ("formula", "energy", "says"),
    [
        ("Li4Si3", -3.4, ["no known phase of Li4Si3", "add phases by `chggen references fetch Li-Si`"]),
        ("LiSi", -3.951, ["E_d below -0.05 eV/atom (phase missing, or energy not per atom at level pbe?)"]),
        ("LiSi", -31.0, ["energy not per atom"]),
        ("Li7Si", -2.4, ["no known phase of Li7Si", "product Li: an element"]),
    ],
)
def test_what_is_doubtful_is_said_with_the_remedy(formula, energy, says):
    warning = hull(formula, energy, references=table(*KNOWN)).warning or ""
    assert all(part in warning for part in says)
    assert "then `chggen references build`" in warning
    assert len(warning) <= 300


def test_an_energy_far_above_the_hull_is_to_be_checked():
    warning = hull("LiSi", -2.8, references=table(*KNOWN)).warning
    assert warning == "E_d above 1 eV/atom (is the energy per atom, at level pbe?)"


def test_the_edge_of_what_is_known():
    lonely = table(("Li", -2.0), ("Si", -5.0), ("S", -4.0), ("Li2S", -4.0), ("SiS2", -5.0), ("Li2SiS3", -4.4))
    position = hull("Li2SiS3", -4.4, references=lonely)
    assert position.products == "Li2SiS3 -> Li2S + SiS2"
    assert "product Li2S, SiS2: the only known compound of its elements" in (position.warning or "")
    static = hull("LiSi", -3.9, references=table(*KNOWN, relaxed=False))
    assert "product LiSi: not relaxed" in (static.warning or "")


@pytest.mark.parametrize(("drop", "doubtful"), [(0.002, False), (0.02, True)])
def test_phases_that_are_all_static_and_hardly_fall_are_no_doubt_about_one(drop, doubtful):
    sampled = ReferenceEntry(id="s", formula="Ge", level="pbe", energy_per_atom=-4.0, relaxed=True, drop=drop)
    static = [ReferenceEntry(id=f, formula=f, level="pbe", energy_per_atom=e, relaxed=False) for f, e in KNOWN]
    many = [replace(static[0], id=f"Li-{k}", energy_per_atom=-1.9) for k in range(20)]
    warning = hull("LiSi", -3.9, references=References.from_entries([sampled, *static, *many])).warning
    assert ("product LiSi: not relaxed" in (warning or "")) == doubtful


def test_a_phase_of_the_hull_that_has_no_energy_at_the_level_is_named():
    entries = [
        ReferenceEntry(id=formula, formula=formula, level=level, energy_per_atom=energy, relaxed=True)
        for formula, energy in KNOWN
        for level in ("pbe", "other")
        if (formula, level) != ("LiSi", "other")
    ]
    known = References.from_entries(entries)
    assert hull("LiSi", -3.9, level="pbe", references=known).warning is None
    warning = hull("LiSi", -3.9, level="other", references=known).warning or ""
    assert "LiSi on the hull at level pbe but without an energy at this one" in warning
    assert hull("Li3Si", -3.05, level="other", references=known).warning is None


def test_phases_left_out_are_known_all_the_same():
    warning = hull("Li2Si", -3.0, without=["Li2Si"], references=table(*KNOWN)).warning
    assert warning is None


def test_computed_entries_are_added_by_import():
    warning = hull("Li4Si3", -3.4, level="pbe-dft", references=table(*KNOWN, level="pbe-dft")).warning or ""
    assert warning.endswith("; add phases by `chggen references import`")


@pytest.mark.parametrize("formula", ["Ca(OH)2", "NaOH", "KNO3", "Ni(OH)2", "YbO"])
def test_textbook_phases_that_are_missing_are_doubtful(formula):
    if References.load().same_formula(formula, "pbe"):
        assert hull(formula, -5.0).warning is None or "no known phase" not in hull(formula, -5.0).warning
    else:
        assert f"no known phase of {formula}" in hull(formula, -5.0).warning


def test_an_energy_of_the_other_level_is_doubtful():
    lowest = References.load().same_formula("LiFePO4", "pbe")[0]
    assert hull("LiFePO4", lowest.energy_per_atom).warning is None
    assert "at level r2scan?" in (hull("LiFePO4", lowest.energy_per_atom, level="r2scan").warning or "")


def test_doubts_at_two_levels_are_said_once():
    first = "no known phase of X; add phases"
    assert joined_doubts(first, None, "r2scan") == first
    assert joined_doubts(first, first, "r2scan") == first
    assert joined_doubts(None, first, "r2scan") == "at level r2scan: no known phase of X; add phases"
    both = joined_doubts(first, "no known phase of X; product Li: an element; add phases", "r2scan")
    assert both == "no known phase of X; add phases; at level r2scan: product Li: an element"
    assert joined_doubts(None, None, "r2scan") is None
