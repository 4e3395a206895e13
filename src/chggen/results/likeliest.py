"""The candidate that is likeliest to be the crystal of its formula, those that may be it, and how probable each is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from chggen.results.candidate import Candidate
from chggen.results.ranking import rank, ranked


@dataclass(frozen=True)
class Trust:
    """How far energies, prototypes and a search are trusted. Fitted on the `val` split (benchmarks/answers.py).

    Attributes:
        error: By how much energies are off, eV/atom, so that likelihood falls e-fold.
        unknown: Log-odds of a structure that no prototype led to.
        weight: Power to which the likelihoods of structures are taken, so that probabilities come true.
        missed: Log-odds that the crystal is not among the structures where each was found more than once.
        once: What is added to these where each was found once; in proportion to the share of all finds that are of
            structures found once.
    """

    error: float
    unknown: float
    weight: float
    missed: float
    once: float


_TRUST: Final = Trust(error=0.02, unknown=2.0, weight=0.74, missed=-3.9, once=2.6)
_OF_LEVELS: Final = {"sevennet-l3i5": Trust(error=0.023, unknown=2.0, weight=0.68, missed=-3.9, once=2.6)}
ENERGY_ERROR: Final = _TRUST.error
_LOW: Final = 0.01  # probability below which, or above 1 less which, it is not told more closely


def trust_in(level: str | None) -> Trust:
    """Return how far energies at a level are trusted. What has not been measured is trusted as CHGNet is.

    Args:
        level: Name of the level at which candidates are compared.
    """
    return _OF_LEVELS.get(level or "", _TRUST)


def answers(candidates: Sequence[Candidate]) -> dict[str, Candidate]:
    """Return the candidate that is likeliest to be the crystal of each formula.

    A potential puts some other minimum below the crystal of many formulas. The log-odds of a structure are therefore
    those of its prototype less its energy in units of the potential's error.

    Args:
        candidates: The candidates of a finished run, duplicates counted.

    Returns:
        Formula to its likeliest candidate, for formulas that have good candidates.
    """
    return {formula: max(same, key=_log_odds) for formula, same in _compared(candidates).items()}


def _compared(candidates: Iterable[Candidate]) -> dict[str, list[Candidate]]:
    """Return the distinct candidates of each formula that have energies of the best kind there, best first."""
    by_formula: dict[str, list[Candidate]] = {}
    for candidate in ranked(c for c in candidates if c.n_found is not None):
        by_formula.setdefault(candidate.formula, []).append(candidate)
    kinds = {formula: min(rank(c)[1] for c in same) for formula, same in by_formula.items()}
    return {formula: [c for c in same if rank(c)[1] == kinds[formula]] for formula, same in by_formula.items()}


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
    trust = trust_in(_level(candidate))
    return _prototype_odds(candidate, trust) - rank(candidate)[2] / trust.error


def _level(candidate: Candidate) -> str | None:
    """Return the level whose energies decide where a candidate stands, see `rank`."""
    return next(reversed(list(candidate.energies)), candidate.level)


def probabilities(candidates: Sequence[Candidate]) -> dict[str, float]:
    """Return how probable it is that each distinct candidate is the crystal of its formula.

    Likelihoods of energy and prototype, see `answers`, are shared out among the candidates of a formula. What is left
    is the probability that the crystal is none of them. It is estimated from the share of finds that are of structures
    found but once: a search that still finds new ones has not seen all (Good, Biometrika 40, 237, 1953; fitted).

    Args:
        candidates: The candidates of a finished run, duplicates counted.

    Returns:
        Id to probability, of the formulas that were looked for as a whole. Candidates of a host, whose framework was
        given, have none.
    """
    searched = {c.formula for c in candidates if c.stage == "generate"}
    times: dict[str, list[int]] = {formula: [] for formula in searched}
    found: dict[str, float] = {}
    for c in candidates:
        if c.n_found is not None and c.formula in searched:
            times[c.formula].append(c.n_found)
            found[c.id] = 0.0
    for formula, same in _compared(candidates).items():
        if formula in searched:
            shares = shared_out(list(map(_log_odds, same)), times[formula], trust_in(_level(same[0])))
            found |= {c.id: share for c, share in zip(same, shares, strict=True)}
    return found


def shared_out(log_odds: Sequence[float], times: Sequence[int], trust: Trust) -> list[float]:
    """Return the probabilities of structures of one composition, which sum to less than 1.

    Args:
        log_odds: Log-odds of each by energy and prototype, up to a constant.
        times: How many times each structure of the composition was found, also those that are not compared.
        trust: How far these are trusted.
    """
    greatest = max(log_odds)
    powers = [math.exp(trust.weight * (one - greatest)) for one in log_odds]
    once = sum(one == 1 for one in times) / max(sum(times), 1)  # Good and Turing's estimate of what is unseen
    among = 1 / (1 + math.exp(trust.missed + trust.once * once))
    return [among * power / sum(powers) for power in powers]


def probability_text(probability: float) -> str:
    """Return a probability as it is shown, such as `72 %`.

    Args:
        probability: From 0 to 1.
    """
    if probability < _LOW:
        return f"< {100 * _LOW:.0f} %"
    return f"> {100 * (1 - _LOW):.0f} %" if probability > 1 - _LOW else f"{100 * probability:.0f} %"


def reasons(candidates: Sequence[Candidate]) -> dict[str, str]:
    """Return what makes the answer of each formula as probable as it is, where it has a probability.

    Args:
        candidates: The candidates of a finished run, duplicates counted, with their probabilities.

    Returns:
        Id of the answer to a text such as `lowest at level pbe; of the likeliest prototype; found 5 times; 4 % that
        it is none of those found`.
    """
    told = {}
    for same in _compared(candidates).values():
        best = max(same, key=_log_odds)
        if best.probability is None:
            continue
        at = f"at level {_level(best)}"
        higher = 1000 * (rank(best)[2] - min(rank(c)[2] for c in same))
        parts = [f"lowest {at}" if higher <= 0 else f"{higher:.0f} meV/atom above the lowest {at}"]
        odds = [c.prototype_log_odds for c in same if c.prototype_log_odds is not None]
        if best.prototype_log_odds is None:
            parts.append("of no known prototype")
        else:
            parts.append(f"of {'the likeliest' if best.prototype_log_odds == max(odds) else 'a known'} prototype")
        parts.append("found once" if best.n_found == 1 else f"found {best.n_found} times")
        total = sum(c.probability or 0.0 for c in same)
        told[best.id] = "; ".join([*parts, f"{probability_text(1 - total)} that it is none of those found"])
    return told


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
            trust = trust_in(c.level)
            odds = _prototype_odds(c, trust) - energy / trust.error
            by_formula.setdefault(c.formula, []).append((c, energy, odds))
    chosen: set[str] = set()
    for same in by_formula.values():
        lowest, likeliest = min(energy for _, energy, _ in same), max(odds for *_, odds in same)
        chosen |= {
            c.id for c, energy, odds in same if energy <= lowest + within or odds >= likeliest - within / ENERGY_ERROR
        }
    return [c for c in distinct if c.id in chosen]


def _prototype_odds(candidate: Candidate, trust: Trust) -> float:
    """Return the log-odds of the prototype of a distinct candidate, those of an unlikely one where none led to it."""
    return trust.unknown if candidate.prototype_log_odds is None else candidate.prototype_log_odds


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
