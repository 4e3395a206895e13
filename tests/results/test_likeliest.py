"""How probable it is that a candidate is the crystal: shares of likelihoods, what is left for none, and the reasons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from chggen.campaign.duplicates import with_duplicates
from chggen.results.candidate import Candidate
from chggen.results.likeliest import Trust, answers, probabilities, probability_text, reasons, shared_out, trust_in

_TRUST = Trust(error=0.02, unknown=4.0, weight=1.0, missed=-3.0, once=2.0)


def _found(name: str, energy: float, odds: float | None = None, n: int = 2, formula: str = "Cu3Au") -> Candidate:
    return Candidate(
        id=name, stage="generate", formula=formula, seed=0, level="pbe", energies={"pbe": energy}, n_found=n,
        prototype_log_odds=odds,
    )  # fmt: skip


def _with(candidates: Sequence[Candidate]) -> list[Candidate]:
    told = probabilities(candidates)
    return [replace(c, probability=told.get(c.id)) for c in candidates]


def test_shares_are_those_of_the_likelihoods_less_what_was_missed() -> None:
    none = 1 / (1 + math.exp(3.0))
    assert shared_out([0.0, 0.0], [2, 2], _TRUST) == pytest.approx([(1 - none) / 2] * 2)
    one, two = shared_out([math.log(3), 0.0], [2, 2], _TRUST)
    assert one == pytest.approx(3 * two)
    flat, _ = shared_out([math.log(3), 0.0], [2, 2], replace(_TRUST, weight=1e-9))
    assert flat == pytest.approx((1 - none) / 2)


def test_a_search_that_still_finds_new_structures_has_missed_more() -> None:
    shares = [sum(shared_out([0.0, -1.0], times, _TRUST)) for times in ([5, 4], [5, 1], [1, 1])]
    assert shares == sorted(shares, reverse=True)
    assert shares[2] == pytest.approx(1 / (1 + math.exp(-3 + 2)))


def test_great_numbers_do_not_overflow() -> None:
    assert sum(shared_out([-1e4, 1e4], [1, 1], _TRUST)) < 1


def test_the_answer_is_the_most_probable_one() -> None:
    given = [_found("a", -3.02), _found("b", -3.0, odds=9.0), _found("c", -2.0, odds=9.0)]
    told = probabilities(given)
    assert max(told, key=lambda name: told[name]) == answers(given)["Cu3Au"].id == "b"
    assert told["b"] / told["a"] == pytest.approx(math.exp(trust_in("pbe").weight * (9 - trust_in("pbe").unknown - 1)))
    assert sum(told.values()) < 1


def test_each_formula_has_probabilities_of_its_own() -> None:
    told = probabilities([_found("a", -3.0), _found("b", -1.0, formula="CuAu")])
    assert told["a"] == told["b"] > 0.5


def test_candidates_that_no_judge_was_asked_about_are_improbable() -> None:
    judged = replace(_found("a", -3.0), energies={"pbe": -3.0, "sevennet-l3i5": -3.1})
    told = probabilities([judged, _found("b", -3.3, odds=20.0)])
    assert told["b"] == 0
    assert told["a"] > 0.5


def test_fillings_of_a_given_host_and_duplicates_have_none() -> None:
    assert probabilities([replace(_found("a", -3.0), stage="inpaint")]) == {}
    assert probabilities([replace(_found("a", -3.0), n_found=None)]) == {}
    inpainted = replace(_found("f", -3.0), stage="inpaint", parent="a")
    assert set(probabilities([_found("a", -2.9), inpainted])) == {"a", "f"}  # of a framework that was generated


def test_groups_of_duplicates_come_with_probabilities() -> None:
    from pymatgen.core import Lattice, Structure

    structure = Structure(Lattice.cubic(3.6), ["Cu"], [[0, 0, 0]])
    given = [
        replace(_found(name, -3.0, n=0), n_found=None, structure=structure, raw=structure, formula="Cu")
        for name in ("a", "b")
    ]
    first, second = with_duplicates(given)
    assert first.probability is not None
    assert first.probability > 0.5
    assert second.probability is None


@pytest.mark.parametrize(
    ("probability", "text"), [(0.0, "< 1 %"), (0.004, "< 1 %"), (0.724, "72 %"), (0.99, "99 %"), (0.999, "> 99 %")]
)
def test_a_probability_is_shown_as_closely_as_it_is_known(probability: float, text: str) -> None:
    assert probability_text(probability) == text


def test_reasons_say_energy_prototype_finds_and_what_is_left() -> None:
    given = _with([_found("a", -3.02), _found("b", -3.0, odds=9.0, n=3), _found("c", -2.9, odds=2.0, n=1)])
    (told,) = reasons(given).values()
    assert told.startswith("20 meV/atom above the lowest at level pbe; of the likeliest prototype; found 3 times; ")
    assert told.endswith(" % that it is none of those found")
    lowest = reasons(_with([_found("a", -3.02, n=1)]))["a"]
    assert lowest.startswith("lowest at level pbe; of no known prototype; found once; ")
    assert reasons([_found("a", -3.0)]) == {}  # without probabilities there is nothing to explain
