"""The order of candidates, and the one that is likeliest to be the crystal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, cast

from chggen.results.candidate import Candidate

# How a formula's crystal is told from its other minima, fitted on crystals of the `val` split (benchmarks/answers.py):
ENERGY_ERROR: Final = 0.02  # eV/atom by which a potential's energies are off, so that likelihood falls e-fold
_UNKNOWN: Final = 4.0  # log-odds of a structure that no prototype led to


def rank(candidate: Candidate) -> tuple[Any, ...]:
    """Sort key: the good ones by E_d at r²SCAN level, then by E_d, then by energy, the failed ones last.

    Each is among those of the first of these numbers that it has; id breaks ties.
    """
    numbers = (candidate.e_decomposition_r2scan, candidate.e_decomposition, candidate.energy_per_atom, math.inf)
    kind, value = next((k, x) for k, x in enumerate(numbers) if x is not None)
    return (candidate.status != "ok", kind, round(value, 6), candidate.id)


def answers(candidates: Sequence[Candidate]) -> dict[str, Candidate]:
    """Formula → the candidate likeliest to be its crystal, by its energy and by what is known of prototypes.

    The log-odds of a structure are the likeness of its prototype less its energy in units of the potential's error; a
    potential puts some other minimum below the crystal of many formulas.
    Candidates are those of a finished run, with their duplicates counted; formulas that have good ones.
    """
    by_formula: dict[str, list[Candidate]] = {}
    for candidate in sorted((c for c in candidates if c.n_found is not None), key=rank):
        by_formula.setdefault(candidate.formula, []).append(candidate)
    found = {}
    for formula, same in by_formula.items():
        kind = rank(same[0])[1]
        found[formula] = max((c for c in same if rank(c)[1] == kind), key=_log_odds)  # energies of one kind
    return found


def _log_odds(candidate: Candidate) -> float:
    """Up to a constant of its formula."""
    known = _UNKNOWN if candidate.prototype_log_odds is None else candidate.prototype_log_odds
    return known - cast(float, rank(candidate)[2]) / ENERGY_ERROR


def likelier(shown: Sequence[Candidate]) -> dict[str, str]:
    """Formula → id and reason of its answer, where that is not the first of its distinct candidates as shown."""
    first = {c.formula: c for c in reversed(shown)}
    return {
        formula: f"{answer.id}, {_why(answer, first[formula])}"
        for formula, answer in answers(shown).items()
        if answer is not first[formula]
    }


def _why(answer: Candidate, first: Candidate) -> str:
    """Why an answer is likelier than the one shown first, which may be higher, being the most symmetric of its kind."""
    higher = 1000 * (rank(answer)[2] - rank(first)[2])
    if higher < 0:
        return f"{-higher:.1f} meV/atom lower"
    if answer.prototype_log_odds is None:
        return f"{higher:.1f} meV/atom higher, the lower one being of an unlikely prototype"
    return f"{higher:.1f} meV/atom higher but of a likelier prototype"
