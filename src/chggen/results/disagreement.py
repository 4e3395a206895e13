"""Where potentials disagree: candidates that one puts much higher above the lowest of its formula than another does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chggen.results.candidate import Candidate
from chggen.results.summary import further_levels

MUCH: Final = 0.05
"""Difference between two potentials that is told, eV/atom: more than either errs by on most crystals."""


def disagreements(candidates: Sequence[Candidate]) -> dict[str, tuple[str, float]]:
    """Return the candidates about which the potential of the run and a further one disagree by more than 50 meV/atom.

    Heights are compared: those above the candidate of the same formula that is lowest by the further potential. They
    need no known phases, and constants of a composition cancel.

    Args:
        candidates: Candidates of a run.

    Returns:
        Id to the further level and the difference, eV/atom, positive where the potential of the run puts the candidate
        higher. Of several levels that with the greatest difference counts.
    """
    found: dict[str, tuple[str, float]] = {}
    for level in further_levels(candidates):
        by_formula: dict[str, list[tuple[Candidate, float, float]]] = {}
        for c in candidates:
            own, further = c.energy_per_atom, c.energies.get(level)
            if c.status == "ok" and own is not None and further is not None:
                by_formula.setdefault(c.formula, []).append((c, own, further))
        for same in by_formula.values():
            _, base, lowest = min(same, key=lambda one: one[2])
            for c, own, further in same:
                off = (own - base) - (further - lowest)
                if abs(off) > MUCH and abs(off) > abs(found.get(c.id, ("", 0.0))[1]):
                    found[c.id] = (level, off)
    return found
