"""The order of candidates, and the one that is likeliest to be the crystal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final, cast

from chggen.results.candidate import Candidate

# How a formula's crystal is told from its other minima, fitted on crystals of the `val` split (benchmarks/answers.py):
ENERGY_ERROR: Final = 0.02  # eV/atom by which a potential's energies are off, so that likelihood falls e-fold
_UNKNOWN: Final = 4.0  # log-odds of a structure that no prototype led to
_ENERGY_ALONE, _NOTHING = 1, 2  # kinds of energy at the first level; -2 for each further one, E_d being 0


def rank(candidate: Candidate) -> tuple[bool, int, float, str]:
    """Return the key that sorts candidates from best to worst.

    Candidates that failed come last. The others are compared by the best energy they have: decomposition energy at the
    last level that a run reaches, else energy per atom there, where no hull is known at that level, else at an earlier
    level. A candidate without the better kind of energy comes after all that have it.

    Args:
        candidate: A candidate of a finished run.

    Returns:
        `(failed, kind of energy, energy in eV/atom, id)`; the id breaks ties, so that the order is reproducible.
    """
    level, energy = candidate.deciding_level, candidate.energy_per_atom
    judged = next(reversed(list(candidate.energies)), None)
    if judged is not None and judged not in (level, candidate.level):
        kind, value = _ENERGY_ALONE - 2 * list(candidate.energies).index(judged), candidate.energies[judged]
    elif level is not None:
        kind, value = -2 * list(candidate.energies).index(level), candidate.decomposition_energies[level]
    elif energy is not None:
        kind, value = _ENERGY_ALONE, energy
    else:
        kind, value = _NOTHING, math.inf
    return (candidate.status != "ok", kind, round(value, 6), candidate.id)


def ranked(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return candidates from best to worst.

    They are sorted by `rank`, but for survivors that got no energy at the further level (`Candidate.unplaced_at`). Such
    a one stands among the others that were taken to that level, behind as many of them as lie below it by the
    decomposition energy that all of them have, that at the level of the run.

    Args:
        candidates: The candidates of a finished run.
    """
    in_order = sorted(candidates, key=rank)
    unplaced = [c for c in in_order if c.status == "ok" and c.unplaced_at is not None and c.e_decomposition is not None]
    names = {c.id for c in unplaced}
    final = [c for c in in_order if c.id not in names]
    peers = [c for c in final if c.status == "ok" and rank(c)[1] < 0 and c.e_decomposition is not None]
    for candidate in reversed(unplaced):  # the better one is put before the worse one
        own = cast(float, candidate.e_decomposition)
        final.insert(sum(cast(float, c.e_decomposition) < own for c in peers), candidate)
    return final


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
