"""The order of candidates."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import cast

from chggen.results.candidate import Candidate

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
