"""Whole runs with a cheap potential: lineage, energies, and what the rows of a summary say."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ase.calculators.emt import EMT

import chggen
from chggen.campaign import resources as resources
from chggen.errors import InputError
from chggen.results.candidate import Candidate
from chggen.results.summary import summary_row
from chggen.symmetry.detection import space_group

_EMT = "ase:ase.calculators.emt:EMT"


_QUICK: dict[str, Any] = {"levels": 6, "n_resample": 1, "potential": _EMT, "workers": 1, "fmax": 0.2}
Predict = Callable[..., list[Candidate]]


def test_every_candidate_is_a_row_with_its_lineage(alloy_run: tuple[list[Candidate], Path]) -> None:
    candidates, folder = alloy_run
    made = {c.id: c for c in candidates}
    generated = [c for c in candidates if c.stage == "generate"]
    inpainted = [c for c in candidates if c.stage == "inpaint"]
    assert sorted(c.id for c in generated) == [f"Cu3Au-z1-000{k}" for k in range(4)]
    assert all(c.parent is None and c.seed_source == "bravais" for c in generated)
    good = {c.id for c in generated if c.status == "ok"}
    assert good  # else this run tests nothing
    assert {c.parent for c in inpainted} == good
    assert len({c.seed for c in candidates}) == len(candidates)
    for c in inpainted:
        assert c.id in (f"{c.parent}-i0", f"{c.parent}-i1")
        if c.failed_at != "refine":
            assert c.framework_symprec in (0.1, 0.2, 0.5, 0.8, 1.0, 1.5, 2.0)
            assert made[str(c.parent)].formula == c.formula == "Cu3Au"
    with (folder / "summary.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["id"] for row in rows] == [c.id for c in candidates]
    assert [row["seed"] for row in rows] == [str(c.seed) for c in candidates]


def test_a_row_is_good_with_an_energy_or_failed_with_stage_and_reason(alloy_run: tuple[list[Candidate], Path]) -> None:
    assert any(c.status == "ok" for c in alloy_run[0])
    for c in alloy_run[0]:
        if c.status == "ok":
            assert c.failed_at is None
            assert c.reason is None
            assert c.converged
            assert c.structure is not None
            assert c.structure.composition.reduced_formula == "Cu3Au"
            assert c.energy_per_atom is not None
            assert c.relax_energy_change is not None
            assert c.relax_energy_change <= 1e-9
            assert c.space_group is not None
            assert c.space_group_loose is not None
            assert c.level == _EMT
        else:
            assert c.failed_at in ("sample", "screen", "relax", "refine", "hull")
            assert c.reason
            assert c.energy_per_atom is None or c.failed_at == "relax"


def test_the_energy_is_that_of_the_structure(alloy_run: tuple[list[Candidate], Path]) -> None:
    good = [c for c in alloy_run[0] if c.status == "ok"]
    assert good
    for c in good:
        assert c.structure is not None
        atoms = c.structure.to_ase_atoms(msonable=False)
        atoms.calc = EMT()
        assert c.energy_per_atom == pytest.approx(atoms.get_potential_energy() / len(atoms), abs=1e-4)


def test_good_candidates_come_first_and_lowest_energies_before_higher(alloy_run: tuple[list[Candidate], Path]) -> None:
    statuses = [c.status for c in alloy_run[0]]
    assert statuses == sorted(statuses, reverse=True)
    energies = [round(c.energy_per_atom or 0, 6) for c in alloy_run[0] if c.status == "ok"]
    assert energies == sorted(energies)


def test_duplicate_columns_of_a_run_add_up(alloy_run: tuple[list[Candidate], Path]) -> None:
    good = {c.id: c for c in alloy_run[0] if c.status == "ok"}
    assert sum(c.n_found or 0 for c in good.values()) == len(good)
    for c in good.values():
        assert (c.duplicate_of is None) == (c.n_found is not None)
        assert c.duplicate_of is None or good[c.duplicate_of].duplicate_of is None


def test_a_whole_system_is_one_run(tmp_path: Path) -> None:
    def made() -> list[Candidate]:
        return chggen.predict(
            system="Cu-Au",
            guests=["Cu"],
            n=2,
            max_atoms=4,
            per_framework=1,
            second_level_below=None,
            out=tmp_path,
            **_QUICK,
        )

    found = made()
    generated = [c for c in found if c.stage == "generate" and c.parent is None and "-r" not in c.id]
    assert len(generated) == 2 * 5
    assert {c.formula for c in generated} == {"CuAu", "CuAu2", "Cu2Au", "CuAu3", "Cu3Au"}
    again = made()
    assert [summary_row(c) for c in again] == [summary_row(c) for c in found]


def test_a_formula_or_a_system_is_asked_for() -> None:
    with pytest.raises(InputError, match="the formula is empty"):
        chggen.predict()
    with pytest.raises(InputError, match="got a formula and a system"):
        chggen.predict("NaCl", system="Na-Cl")
    with pytest.raises(InputError, match="expects a system"):
        chggen.predict("NaCl", between=["Na", "Cl"])


def test_the_symmetric_workflow_fills_frameworks_on_their_orbits(predict_alloy: Predict) -> None:
    found = predict_alloy(cells_from=["bravais", "space-group"], symmetry="host", per_framework=1, best_of=2)
    sources = {c.id: c.seed_source for c in found if c.stage == "generate" and "-r" not in c.id and "-low" not in c.id}
    assert sources == {f"Cu3Au-z1-000{k}": ("bravais", "space-group")[k % 2] for k in range(4)}
    filled = [c for c in found if c.stage == "inpaint" and c.raw is not None]
    assert filled
    assert all((space_group(c.raw, 1e-3) or 0) > 2 for c in filled if c.raw is not None)
