"""The candidate that is likeliest to be the crystal of its formula, and those that may be it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chggen.results.candidate import Candidate
from chggen.results.ranking import rank, ranked

# How a formula's crystal is told from its other minima, fitted on crystals of the `val` split (benchmarks/answers.py):
ENERGY_ERROR: Final = 0.02  # eV/atom by which a potential's energies are off, so that likelihood falls e-fold
_UNKNOWN: Final = 4.0  # log-odds of a structure that no prototype led to


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
    for candidate in ranked(c for c in candidates if c.n_found is not None):
        by_formula.setdefault(candidate.formula, []).append(candidate)
    found = {}
    for formula, same in by_formula.items():
        kind = min(rank(c)[1] for c in same)
        found[formula] = max((c for c in same if rank(c)[1] == kind), key=_log_odds)  # energies of one kind
    return found


def answer(candidates: Sequence[Candidate]) -> Candidate | None:
    """Return the candidate that is likeliest to be the crystal that was looked for.

    It is the one that the tables mark, by the rule of `answers`. Of several formulas, as in a system, it is that of the
    formula whose candidate ranks first.

    Args:
        candidates: What a run returned.

    Returns:
        The candidate. None where there is no good one, and where none can be told from the others: those of an
        unrelaxed run have no energies, and structures that were given and relaxed were not looked for.

    Example:
        >>> chggen.answer(chggen.open("runs/znps"))  # doctest: +SKIP
    """
    return min(answers(candidates).values(), key=rank, default=None)


def _log_odds(candidate: Candidate) -> float:
    """Return the log-odds that a candidate is the crystal, up to a constant of its formula."""
    return _prototype_odds(candidate) - rank(candidate)[2] / ENERGY_ERROR


def contenders(distinct: Sequence[Candidate], within: float) -> list[Candidate]:
    """Return the candidates that may be the crystal of their formula, by their energies at the level of the run.

    Such a one lies little above the lowest of its formula. Or it began as so likely a prototype that it may be the
    crystal all the same: its log-odds, see `answers`, fall short of the greatest of its formula by no more than the
    limit in units of the potential's error.

    Args:
        distinct: Distinct good candidates. Those without an energy are left out.
        within: The limit, eV/atom.

    Returns:
        These candidates, in their order.
    """
    by_formula: dict[str, list[tuple[Candidate, float, float]]] = {}
    for c in distinct:
        if (energy := c.energy_per_atom) is not None:
            odds = _prototype_odds(c) - energy / ENERGY_ERROR
            by_formula.setdefault(c.formula, []).append((c, energy, odds))
    chosen: set[str] = set()
    for same in by_formula.values():
        lowest, likeliest = min(energy for _, energy, _ in same), max(odds for *_, odds in same)
        chosen |= {
            c.id for c, energy, odds in same if energy <= lowest + within or odds >= likeliest - within / ENERGY_ERROR
        }
    return [c for c in distinct if c.id in chosen]


def _prototype_odds(candidate: Candidate) -> float:
    """Return the log-odds of the prototype of a distinct candidate, those of an unlikely one where none led to it."""
    return _UNKNOWN if candidate.prototype_log_odds is None else candidate.prototype_log_odds


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
    if first.unplaced_at is not None and answer.unplaced_at is None:
        return f"{first.id} having no energy at level {first.unplaced_at}"
    higher = 1000 * (rank(answer)[2] - rank(first)[2])
    if higher < 0:
        return f"{-higher:.1f} meV/atom lower"
    if answer.prototype_log_odds is None:
        return f"{higher:.1f} meV/atom higher, the lower one being of an unlikely prototype"
    return f"{higher:.1f} meV/atom higher but of a likelier prototype"
