"""Potentials that disagree: heights above the lowest of a formula by the further potential are compared."""

from __future__ import annotations

import pytest

from chggen.results.candidate import Candidate
from chggen.results.disagreement import disagreements


def _one(name: str, energy: float, formula: str = "AB", **further: float) -> Candidate:
    return Candidate(
        id=name, stage="generate", formula=formula, seed=0, level="run", energies={"run": energy, **further}
    )  # fmt: skip


def test_heights_above_the_lowest_by_the_judge_are_compared() -> None:
    candidates = [
        _one("lowest", -5.0, judge=-8.0),
        _one("too-high", -4.86, judge=-7.96),  # 140 meV/atom above it, the judge says 40
        _one("too-low", -5.1, judge=-7.97),
        _one("agreed", -4.95, judge=-7.99),
        _one("not-judged", -3.0),
        _one("alone", -1.0, formula="CD", judge=-2.0),
    ]
    found = disagreements(candidates)
    assert {name: level for name, (level, _) in found.items()} == {"too-high": "judge", "too-low": "judge"}
    assert found["too-high"][1] == pytest.approx(0.10)
    assert found["too-low"][1] == pytest.approx(-0.13)


def test_the_greatest_of_several_counts_and_without_a_judge_there_is_none() -> None:
    candidates = [_one("a", -5.0, first=-5.0, second=-5.0), _one("b", -4.9, first=-4.96, second=-4.99)]
    assert disagreements(candidates)["b"][0] == "second"
    assert disagreements([_one("a", -5.0), _one("b", -4.0)]) == {}
