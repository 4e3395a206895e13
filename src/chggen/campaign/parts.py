"""Parts of a batch that are relaxed together, so that candidates are handed over as they end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from chggen.campaign.relax_and_refine import relax_candidates, rescored
from chggen.campaign.resources import Resources
from chggen.execution import at_stage
from chggen.results import Candidate

# Relaxed 8 at a time, cells of 2 atoms take 0.65 of the time that they take one by one, cells of 14 atoms 0.8, and
# cells of 42 atoms 0.95.
_ATOMS_TOGETHER: Final = 48


def parts_of(places: Sequence[int], candidates: Sequence[Candidate], resources: Resources) -> Iterator[Sequence[int]]:
    """Yield the places of candidates that are relaxed together, so many that more would save hardly any time.

    Args:
        places: Places of the candidates to relax.
        candidates: All candidates of a batch.
        resources: The device, and the potential: one that takes crystals one by one gets them one by one.
    """
    if resources.device != "cpu":
        yield places
        return
    enough = 1 if getattr(resources.potential(), "one_at_a_time", False) else _ATOMS_TOGETHER
    part: list[int] = []
    atoms = 0
    for k in places:
        part.append(k)
        atoms += candidates[k].n_atoms or 0
        if atoms >= enough or k == places[-1]:
            yield part
            part, atoms = [], 0


def relax_in_parts(
    candidates: Sequence[Candidate], resources: Resources
) -> Iterator[tuple[Sequence[int], list[Candidate]]]:
    """Relax candidates and find their symmetry.

    Args:
        candidates: Candidates with a structure each.
        resources: How to relax, and with which potential.

    Yields:
        Places of some candidates, and these as `relax_candidates` returns them.
    """
    yield from _by_parts(relax_candidates, candidates, resources)


def rescore_in_parts(
    candidates: Sequence[Candidate], resources: Resources
) -> Iterator[tuple[Sequence[int], list[Candidate]]]:
    """Relax candidates once more with another potential.

    Args:
        candidates: Relaxed candidates.
        resources: How to relax, with the potential whose level is wanted.

    Yields:
        Places of some candidates, and these as `rescored` returns them.
    """
    yield from _by_parts(rescored, candidates, resources)


def _by_parts(
    work: Callable[[Sequence[Candidate], Resources], list[Candidate]],
    candidates: Sequence[Candidate],
    resources: Resources,
) -> Iterator[tuple[Sequence[int], list[Candidate]]]:
    for places in parts_of(range(len(candidates)), candidates, resources):
        with at_stage("relax"):
            some = work([candidates[k] for k in places], resources)
        yield places, some
