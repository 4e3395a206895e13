"""The names that the contract gives Python."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from pymatgen.core import Lattice, Structure

import chggen
from chggen.campaign import GenerateOptions, InpaintOptions, PredictOptions
from chggen.stability.references import ReferenceEntry, References

_EMT = "ase:ase.calculators.emt:EMT"
_QUICK: dict[str, Any] = {"levels": 4, "workers": 1}


def _host() -> Atoms:
    atoms = bulk("Al", "fcc", a=4.05, cubic=True)
    atoms.rattle(0.02, seed=1)
    return atoms


@pytest.mark.parametrize("anchor", ["clamp", "renoise"])
def test_guests_are_added_to_ase_atoms_which_stay_in_place(anchor: str) -> None:
    host = _host()
    guests = {"H": 2, "Al": 1, "Cu": 1}
    found = chggen.inpaint(host, guests=guests, n=2, seed=3, relax=False, anchor=anchor, n_resample=1, **_QUICK)
    assert len(found) == 2
    for c in found:
        assert c.raw is not None
        assert c.raw.composition.as_dict() == {"Al": 5, "H": 2, "Cu": 1}
        assert [s.symbol for s in c.raw.species[:4]] == ["Al"] * 4
        moved = c.raw.frac_coords[:4] - host.get_scaled_positions()
        assert np.abs((moved - np.round(moved)) @ host.cell.array).max() < 1e-5
        assert np.abs(c.raw.lattice.matrix - host.cell.array).max() < 1e-5
        assert (c.stage, c.parent) == ("inpaint", None)
    assert {c.seed_source for c in found} == ({"orbits", "anywhere"} if anchor == "clamp" else {"anywhere"})
    places = [c.raw.frac_coords[4:] for c in found if c.raw is not None]
    assert np.abs(places[0] - places[1]).max() > 1e-2


def test_a_supercell_takes_guests_for_the_whole() -> None:
    found = chggen.inpaint(_host(), {"H": 1}, n=1, relax=False, supercell=(1, 2, 1), n_resample=1, **_QUICK)
    assert found[0].raw is not None
    assert found[0].raw.composition.as_dict() == {"Al": 8, "H": 1}


def test_hosts_may_be_pymatgen_or_ase_alike() -> None:
    host = _host()
    same = Structure(host.cell.array, host.numbers, host.get_scaled_positions())
    options: dict[str, Any] = {"guests": {"H": 1}, "n": 1, "relax": False, "n_resample": 1, **_QUICK}
    one, other = chggen.inpaint(host, **options)[0], chggen.inpaint(same, **options)[0]
    assert one.raw is not None
    assert other.raw is not None
    assert np.abs(one.raw.frac_coords - other.raw.frac_coords).max() < 1e-5


def test_predict_and_generate_give_candidates() -> None:
    found = chggen.predict(
        "Cu3Au", guests=["Cu"], n=2, seed=0, formula_units=[1], potential=_EMT, n_resample=1, **_QUICK
    )
    found += chggen.generate("Cu", n=1, seed=0, potential=_EMT, **_QUICK)
    assert len(found) >= 3  # two of the first call, one of the second
    for c in found:
        assert isinstance(c, chggen.Candidate)
        assert c.status in ("ok", "failed")
        assert (c.status == "failed") == (c.reason is not None)
        assert c.status == "failed" or isinstance(c.structure, Structure)
        for name in ("energy_per_atom", "e_decomposition", "space_group", "parent"):
            getattr(c, name)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: chggen.predict("Zn", guests="Zn", n=1), "all species"),
        (lambda: chggen.generate("NaCl", n=1, judge="energy", relax=False), "needs a potential"),
        (lambda: chggen.generate("NaCl", n=1, relax=False, fmax=0.2), "fmax has no effect without relax"),
        (lambda: chggen.inpaint("no-such-file", {"Li": 1}), "no structure file at no-such-file"),
        (lambda: chggen.inpaint(3.5, {"Li": 1}), "got float"),
        (lambda: chggen.inpaint(bulk("Al"), {}), "no guests asked for"),
        (lambda: chggen.relax([bulk("Al")], potential="lennard"), "unknown potential .lennard."),
        (lambda: chggen.hull("NaCl", -3.0, level="lda"), "not at .lda."),
        (lambda: chggen.load_score_model("no-such-file"), "no score model at no-such-file"),
    ],
)
def test_bad_input_raises_input_errors(call: Any, says: str) -> None:
    with pytest.raises(chggen.InputError, match=says):
        call()


_WRONG_TYPES = [
    'chggen.predict("ZnP2S6", guests=5, n=1)',
    'chggen.predict("ZnP2S6", between="Zn,S")',
    'chggen.generate("NaCl", n=1, formula_units="one")',
    'chggen.generate("NaCl", n=1, space_group=225.7)',
    'chggen.generate("NaCl", n=1, space_group=True)',
    'chggen.generate("NaCl", n=1, space_group=225, cells_from="prototype")',
    'chggen.generate("NaCl", n=1, volume=1e-9)',
    'chggen.generate("NaCl", n=1, references=5)',
    'chggen.generate("NaCl", n=1, out=5)',
    'chggen.generate("NaCl", n=1, relax=False, potential="lennard")',
    'chggen.inpaint(bulk("Al"), "Li")',
    'chggen.inpaint(bulk("Al"), ["Li"])',
    'chggen.inpaint(bulk("Al"), {"Li": 1}, supercell=2)',
    'chggen.relax("host.cif")',
    "chggen.relax(None)",
    "chggen.relax(chggen.generate('Cu', n=1, relax=False, levels=4, workers=1)[0].structure)",
    'chggen.relax([bulk("Al")], fmax="small")',
    'chggen.relax([bulk("Al")], fmax=float("nan"))',
    'chggen.relax([bulk("Al")], fix_symmetry=-1.0)',
    'chggen.relax([bulk("Al")], fix_symmetry=float("nan"))',
    'chggen.relax([bulk("Al")], device="abacus")',
    "chggen.hull(5, -3.0)",
    "chggen.open(5)",
    'chggen.generate("NaCl", n=1, potential=5)',
    "chggen.load_score_model(5)",
    'chggen.load_score_model(device="abacus")',
]


def test_arguments_of_wrong_types_raise_input_errors() -> None:
    """In a process of its own, where no type checks of the tests come first."""
    script = (
        "import chggen\nfrom ase.build import bulk\nfor call in "
        + repr(_WRONG_TYPES)
        + """:
    try:
        eval(call)
        print(call, "was taken")
    except chggen.InputError as error:
        assert "\\n" not in str(error), error
    except Exception as error:
        print(call, "raised", repr(error))
"""
    )
    shown = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout == ""


def test_one_alone_stands_for_a_list_of_it() -> None:
    one: dict[str, Any] = {"n": 1, "formula_units": 2, "cells_from": "bravais", "relax": False}
    listed: dict[str, Any] = {"n": 1, "formula_units": [2], "cells_from": ["bravais"], "relax": False}
    (a,), (b,) = (chggen.generate("CuAu", **options, **_QUICK) for options in (one, listed))
    assert a.raw is not None
    assert a.raw == b.raw
    assert len(a.raw) == 4


def test_without_mobile_species_there_are_no_guests() -> None:
    found = chggen.predict("Al", n=1, formula_units=[1], cells_from="bravais", potential=_EMT, n_resample=1, **_QUICK)
    assert {c.stage for c in found} == {"generate"}


def test_cells_of_all_formula_units_are_generated_where_a_limit_is_given() -> None:
    found = chggen.generate("CuAu", n=1, max_atoms=4, relax=False, **_QUICK)
    assert sorted(len(c.raw) for c in found if c.raw is not None) == [2, 4]


def test_relax_keeps_the_order() -> None:
    structures = [bulk("Cu", "fcc", a=a, cubic=cubic) for a, cubic in ((3.9, True), (3.6, False), (3.3, True))]
    lost = Structure(Lattice.cubic(5), ["Fe"], [[0, 0, 0]])  # unknown to EMT
    relaxed = chggen.relax([structures[0], lost, *structures[1:]], potential=_EMT, fmax=0.01)
    assert [len(r.structure) for r in relaxed] == [4, 1, 1, 4]
    good = [relaxed[k] for k in (0, 2, 3)]
    for r in good:
        assert r.converged
        assert r.reason is None
        assert r.n_steps > 0
        assert r.structure.volume / len(r.structure) == pytest.approx(3.59**3 / 4, rel=0.02)
        assert r.energy_per_atom == pytest.approx(good[0].energy_per_atom, abs=1e-3)
    assert relaxed[1].energy_per_atom is None
    assert relaxed[1].reason
    held = chggen.relax(structures[:1], potential=_EMT, fix_cell=True)[0]
    assert np.array_equal(held.structure.lattice.matrix, structures[0].cell.array)


def test_hull_gives_the_position(monkeypatch: pytest.MonkeyPatch) -> None:
    table = References.from_entries(
        ReferenceEntry(id=f, formula=f, level="r2scan", energy_per_atom=e) for f, e in (("Na", -1.0), ("I", -2.0))
    )
    monkeypatch.setattr(References, "load", staticmethod(lambda path=None: table))
    position = chggen.hull("NaI", -3.0, level="r2scan")
    assert position.e_decomposition == pytest.approx(-1.5)
    assert position.products == "NaI -> I + Na"
    assert "no known phase of NaI" in (position.warning or "")
    assert chggen.hull("NaI", -3.0, level="pbe").e_decomposition is None


def test_the_shipped_model_loads() -> None:
    assert callable(chggen.load_score_model())


def test_public_names_stay_functions_whatever_is_imported() -> None:
    for module in pkgutil.walk_packages(chggen.__path__, "chggen."):
        importlib.import_module(module.name)
    for name in ("predict", "generate", "inpaint", "relax", "hull", "load_score_model"):
        assert type(getattr(chggen, name)).__name__ == "function", name
        assert name in dir(chggen)
    with pytest.raises(AttributeError, match="nothing"):
        _ = chggen.nothing


@pytest.mark.parametrize(
    ("call", "options", "own"),
    [
        (chggen.predict, PredictOptions, set()),
        (chggen.generate, GenerateOptions, {"relax", "formula_units", "max_atoms"}),
        (chggen.inpaint, InpaintOptions, {"relax", "host", "guests", "mu"}),
    ],
)
def test_keywords_and_defaults_are_those_of_the_option_models(call: Any, options: Any, own: set[str]) -> None:
    machine = {"device", "workers", "batch_size", "time_limit", "executor", "database", "out", "progress"}
    parameters = inspect.signature(call).parameters
    assert set(parameters) == set(options.keywords()) | own | machine
    for name, field in options.keywords().items():
        assert f"\n    {name}: " in call.__doc__
        if name not in own and not field.is_required() and parameters[name].default is not parameters[name].empty:
            assert parameters[name].default == field.default, name
