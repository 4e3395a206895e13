"""The order of candidates, and the one that is likeliest to be the crystal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from chggen.results.candidate import Candidate

# How a formula's crystal is told from its other minima, fitted on crystals of the `val` split (benchmarks/answers.py):
ENERGY_ERROR: Final = 0.02  # eV/atom by which a potential's energies are off, so that likelihood falls e-fold
_UNKNOWN: Final = 4.0  # log-odds of a structure that no prototype led to
_ENERGY_ALONE, _NOTHING = 1, 2  # kinds of energy after those of the levels, which are 0 and below


def rank(candidate: Candidate) -> tuple[bool, int, float, str]:
    """Return the key that sorts candidates from best to worst.

    Candidates that failed come last. The others are compared by the best energy they have: decomposition energy at the
    last level that a run reaches, else at an earlier level, else energy per atom. A candidate without the better kind
    of energy comes after all that have it.

    Args:
        candidate: A candidate of a finished run.

    Returns:
        `(failed, kind of energy, energy in eV/atom, id)`; the id breaks ties, so that the order is reproducible.
    """
    level, energy = candidate.deciding_level, candidate.energy_per_atom
    if level is not None:
        reached = -list(candidate.energies).index(level)
        kind, value = reached, candidate.decomposition_energies[level]
    elif energy is not None:
        kind, value = _ENERGY_ALONE, energy
    else:
        kind, value = _NOTHING, math.inf
    return (candidate.status != "ok", kind, round(value, 6), candidate.id)


def answers(candidates: Sequence[Candidate]) -> dict[str, Candidate]:
    """Return the candidate that is likeliest to be the crystal of each formula.

    A potential puts some other minimum below the crystal of many formulas. The log-odds of a structure are therefore
    those of its prototype less its energy in units of the potential's error.

    Args:
        candidates: The candidates of a finished run, duplicates counted.

    Returns:
        Formula to its likeliest candidate, for formulas that have good candidates.
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
    """Return the log-odds that a candidate is the crystal, up to a constant of its formula."""
    known = _UNKNOWN if candidate.prototype_log_odds is None else candidate.prototype_log_odds
    return known - rank(candidate)[2] / ENERGY_ERROR


def likelier(shown: Sequence[Candidate]) -> dict[str, str]:
    """Return the likeliest candidate of each formula where that is not the first one shown, and why it is likelier.

    Args:
        shown: The distinct candidates of a finished run in the order in which they are shown.

    Returns:
        Formula to a text of id and reason.
    """
    first = {c.formula: c for c in reversed(shown)}
    return {
        formula: f"{answer.id}, {_why(answer, first[formula])}"
        for formula, answer in answers(shown).items()
        if answer is not first[formula]
    }


def _why(answer: Candidate, first: Candidate) -> str:
    """Say why an answer is likelier than the candidate shown first, which may lie higher, being more symmetric."""
    higher = 1000 * (rank(answer)[2] - rank(first)[2])
    if higher < 0:
        return f"{-higher:.1f} meV/atom lower"
    if answer.prototype_log_odds is None:
        return f"{higher:.1f} meV/atom higher, the lower one being of an unlikely prototype"
    return f"{higher:.1f} meV/atom higher but of a likelier prototype"
