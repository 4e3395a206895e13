"""Why candidates failed, counted: reasons that differ in their numbers alone are one."""

from __future__ import annotations

from chggen.results import Candidate, reasons_of_failure


def _failed(name: str, stage: str, reason: str) -> Candidate:
    return Candidate(id=name, stage="inpaint", formula="CuO", seed=0, status="failed", failed_at=stage, reason=reason)


def test_reasons_are_counted_by_kind_the_commonest_first() -> None:
    given = [
        _failed("a", "relax", "energy is not finite"),
        _failed("b", "screen", "overlap: O–O 0.15 Å"),
        _failed("c", "screen", "overlap: O–O 0.00 Å"),
        Candidate(id="d", stage="inpaint", formula="CuO", seed=0),
    ]
    assert reasons_of_failure(given) == [("screen: overlap", 2), ("relax: energy is not finite", 1)]


def test_a_reason_that_is_always_the_same_is_told_in_full() -> None:
    given = [_failed(name, "screen", "overlap: O–O 0.15 Å") for name in "ab"]
    assert reasons_of_failure(given) == [("screen: overlap: O–O 0.15 Å", 2)]
