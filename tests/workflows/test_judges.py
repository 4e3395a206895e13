"""`judge_by`: promising candidates are relaxed once more with other potentials, and the last one ranks them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ase.calculators.emt import EMT
from ase.calculators.mixing import LinearCombinationCalculator

import chggen
from chggen.campaign import further_levels
from chggen.errors import InputError
from chggen.results.candidate import Candidate
from chggen.results.columns import columns_of
from chggen.results.likeliest import answers, contenders
from chggen.results.ranking import ranked

Predict = Callable[..., list[Candidate]]
FIRST = "ase:tests.workflows.test_judges:half"
SECOND = "ase:tests.workflows.test_judges:double"


def half() -> LinearCombinationCalculator:
    return LinearCombinationCalculator([EMT()], [0.5])


def double() -> LinearCombinationCalculator:
    return LinearCombinationCalculator([EMT()], [2.0])


def _one(name: str, energy: float, odds: float | None = None, **judged: float) -> Candidate:
    levels = {"run": energy, **judged}
    made = Candidate(id=name, stage="generate", formula="AB", seed=0, level="run", energies=levels, n_found=1)
    return made.changed(prototype_log_odds=odds)


def test_judges_rank_by_the_last_of_them_and_the_run_can_be_repeated(
    predict_alloy: Predict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = predict_alloy(judge_by=[FIRST, SECOND], judge_within=0.05, out=tmp_path / "run")
    judged = [c for c in found if SECOND in c.energies]
    assert judged
    assert [list(c.energies)[1:] for c in judged] == [[FIRST, SECOND]] * len(judged)
    assert found[: len(judged)] == judged  # they come first, by the energy of the last judge
    energies = [c.energies[SECOND] for c in judged]
    assert energies == sorted(energies)
    for c in judged:
        assert c.energies[SECOND] == pytest.approx(4 * c.energies[FIRST], abs=0.02)
    distinct = [c for c in found if c.status == "ok" and c.duplicate_of is None]
    lowest = min(c.energy_per_atom or 0 for c in distinct)
    assert {c.id for c in judged} >= {c.id for c in distinct if (c.energy_per_atom or 0) <= lowest + 0.05}
    table = (tmp_path / "run" / "summary.csv").read_bytes()

    def refuse(*_: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(further_levels, "rescore_in_parts", refuse)
    again = predict_alloy(judge_by=f"{FIRST}, {SECOND}", judge_within=0.05, out=tmp_path / "run")
    assert [c.id for c in again] == [c.id for c in found]
    assert (tmp_path / "run" / "summary.csv").read_bytes() == table


def test_a_finished_run_is_judged_afterwards_as_if_it_had_been_at_once(predict_alloy: Predict, tmp_path: Path) -> None:
    at_once = predict_alloy(judge_by=[FIRST], out=tmp_path / "at-once")
    predict_alloy(out=tmp_path / "later")
    later = predict_alloy(judge_by=[FIRST], out=tmp_path / "later")
    assert [c.energies for c in later] == [c.energies for c in at_once]
    assert [c.id for c in later] == [c.id for c in at_once]
    assert "judge_by" in (tmp_path / "later" / "config.toml").read_text()
    assert "judge_by" not in chggen_config_of_a_run_without_judges(predict_alloy, tmp_path)


def chggen_config_of_a_run_without_judges(predict_alloy: Predict, folder: Path) -> str:
    predict_alloy(n=1, out=folder / "plain")
    return (folder / "plain" / "config.toml").read_text()


def test_generate_and_inpaint_judge_as_well() -> None:
    quick = {"levels": 6, "best_of": 1, "potential": "ase:ase.calculators.emt:EMT", "workers": 1, "progress": None}
    made = chggen.generate("Cu3Au", n=2, judge_by=FIRST, **quick)
    assert any(FIRST in c.energies for c in made)
    host = next(c.structure for c in made if c.structure is not None)
    filled = chggen.inpaint(host, {"Cu": 1}, n=2, judge_by=FIRST, n_resample=1, **quick)
    assert any(FIRST in c.energies for c in filled)


def test_what_the_run_puts_too_high_is_judged_where_its_prototype_is_likely() -> None:
    # in units of 20 meV/atom: 7 below the lowest, but 6 more likely than an unknown prototype
    candidates = [_one("low", -5.0), _one("near", -4.91), _one("known", -4.86, odds=8.0), _one("high", -4.86)]
    assert [c.id for c in contenders(candidates, 0.1)] == ["low", "near", "known"]
    assert [c.id for c in contenders(candidates, 0.01)] == ["low"]


def test_energies_of_the_last_judge_come_before_those_of_the_run() -> None:
    low, high = _one("low", -5.0, judge=-8.0), _one("high", -4.9, judge=-8.1)
    other = _one("other", -5.1)
    assert [c.id for c in ranked([other, low, high])] == ["high", "low", "other"]
    assert answers([other, low, high])["AB"].id == "high"
    assert "E judge" in [column.name for column in columns_of([other, low, high])]
    placed = low.with_energy("judge", -8.0, 0.01)
    assert "E_d judge" in [column.name for column in columns_of([placed, high])]


def test_a_judge_that_cannot_be_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown potential 'nobody'"):
        chggen.generate("Cu3Au", judge_by="nobody", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(InputError, match="expects relaxed candidates"):
        chggen.generate("Cu3Au", judge_by="chgnet-r2scan", relax=False)
