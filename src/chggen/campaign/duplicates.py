"""What of the candidates made is kept: the outcome of a job, duplicate groups, and what is worth a second level."""

from __future__ import annotations

import logging
import math
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar, cast

from chggen.campaign.comparison import Reduced, StructureComparison
from chggen.campaign.evaluation import SYMMETRY_COST
from chggen.campaign.relax_and_refine import PUSHED, lower_id
from chggen.results import Candidate, contenders, probabilities, rank
from chggen.symmetry import above_trivial, point_group_order

if TYPE_CHECKING:
    from pymatgen.core import Structure

log = logging.getLogger(__name__)
_Found = TypeVar("_Found")
_ENERGY_WINDOW: Final = 0.02  # eV/atom between structures that are compared as duplicates
# Structures that StructureMatcher, which scales volumes, finds equal can still be two states of one arrangement
_VOLUME_WINDOW: Final = 0.05  # relative difference of the volumes above which they are not one structure


def duplicate_groups(
    structures: Iterable[Structure], energies: Sequence[float], comparison: StructureComparison | None = None
) -> list[int]:
    """Group structures that are the same crystal. Of each group the first in sequence stands for the others.

    A structure joins the first group whose first member is within 20 meV/atom and 5 % of the volume of it, and matches
    it. Groups of one composition are kept sorted by energy, so that those within the window are found without looking
    at the others.

    Args:
        structures: The structures, in the order that decides who is first. Each is held only while it is reduced.
        energies: Their energies, eV/atom. One that is not finite is near no other.
        comparison: What compares structures; one that has compared some of these before saves doing it again.

    Returns:
        For each structure the index of the first of its group: its own for those that stand for a group.
    """
    comparison = comparison or StructureComparison()
    reduced: list[Reduced | None] = []
    volumes: list[float] = []
    for structure in structures:
        reduced.append(_or_none(partial(comparison.reduced, structure)))
        volumes.append(structure.volume / len(structure))
    groups: dict[tuple[int, ...], list[tuple[float, int]]] = {}  # contents of the cell → energy and index of the first
    first: list[int] = []
    for i, (own, energy) in enumerate(zip(reduced, energies, strict=True)):
        if own is None:
            first.append(i)
            continue
        known = groups.setdefault(own.contents, [])
        within = known[bisect_left(known, (energy - 2 * _ENERGY_WINDOW,)) :]  # the exact window is tested below
        within = within[: bisect_left(within, (energy + 2 * _ENERGY_WINDOW,))]
        near = sorted(
            j for other, j in within if abs(energy - other) < _ENERGY_WINDOW and _near_in_volume(volumes[i], volumes[j])
        )
        others = [cast(Reduced, reduced[j]) for j in near]
        match = _or_none(partial(comparison.first_same, own, others))
        if match is None and math.isfinite(energy):
            insort(known, (energy, i))
        first.append(i if match is None else near[match])
    return first


def _or_none(compared: Callable[[], _Found | None]) -> _Found | None:
    """Return what a comparison gives; None where it fails: a structure that cannot be compared is like no other."""
    try:
        return compared()
    except Exception:  # pymatgen raises many kinds on odd cells
        log.warning("a structure cannot be compared with others", exc_info=True)
        return None


def _near_in_volume(one: float, other: float) -> bool:
    """Return whether two volumes are near enough for one structure."""
    return max(one, other) <= (1 + _VOLUME_WINDOW) * min(one, other)


def outcome(tries: Sequence[str], made: Mapping[str, Candidate]) -> Candidate | None:
    """Return the lowest of what came of the tries of a job, preferably one above P1 and P-1.

    What saddles fell to counts. Candidates are compared by energy, not by rank: a run that is repeated has energies at
    further levels by now, which must not make another candidate the parent.

    Args:
        tries: Ids of the candidates that were tried.
        made: All candidates of the run by id.

    Returns:
        The lowest good candidate, or None where there is none.
    """
    names = [name for own in tries for name in (own, lower_id(own))]
    good = [made[name] for name in names if name in made and made[name].status == "ok"]
    symmetric = [c for c in good if above_trivial(c.space_group_loose)]
    return min(
        symmetric or good,
        key=lambda c: (math.inf if c.energy_per_atom is None else c.energy_per_atom, c.id),
        default=None,
    )


def survivors(
    candidates: Iterable[Candidate], below: float, comparison: StructureComparison | None = None
) -> list[Candidate]:
    """Return the distinct good candidates whose decomposition energy at the level of the run is below a limit.

    They are ranked and grouped as if there were no energies at a further level yet. A run that goes on after a kill has
    some, and which of a group stays depends on the order.

    Args:
        candidates: All candidates of the run.
        below: The limit, eV/atom.
        comparison: What compares structures, see `duplicate_groups`.

    Returns:
        The survivors, best first.
    """
    distinct = _distinct_at_level_of_run(candidates, comparison)
    return [c for c in distinct if c.e_decomposition is not None and c.e_decomposition < below]


def promising(
    candidates: Iterable[Candidate], within: float, comparison: StructureComparison | None = None
) -> list[Candidate]:
    """Return the distinct good candidates that may be the crystal of their formula, by what the level of the run says.

    They are ranked and grouped as those that survive, see `survivors`, and chosen by `results.contenders`.

    Args:
        candidates: All candidates of the run.
        within: The limit of `contenders`, eV/atom.
        comparison: What compares structures, see `duplicate_groups`.

    Returns:
        These candidates, best first.
    """
    distinct = _distinct_at_level_of_run(candidates, comparison)
    return contenders([c for c in distinct if c.status == "ok"], within)


def _distinct_at_level_of_run(
    candidates: Iterable[Candidate], comparison: StructureComparison | None
) -> list[Candidate]:
    """Return candidates that are no duplicates, ranked and grouped as if they had energies at the run's level alone."""
    grouped = with_duplicates(sorted(candidates, key=lambda c: rank(c.at_level_of_run())), comparison)
    return [c for c in grouped if c.duplicate_of is None]


def with_duplicates(ranked: Sequence[Candidate], comparison: StructureComparison | None = None) -> list[Candidate]:
    """Return ranked candidates with their duplicate groups filled in.

    One of each group is kept, and stands before the others: the most symmetric of those within 5 meV/atom of the
    group's lowest, which is what symmetry may cost, and of equals the one of the likeliest prototype. A prototype
    counts only where relaxation led to no other structure. The one kept gets `n_found`, `found_by` and
    `prototype_log_odds` of its group and a `probability` (`results.probabilities`), the others `duplicate_of`.

    Args:
        ranked: Candidates, best first.
        comparison: What compares structures, see `duplicate_groups`.

    Returns:
        The same candidates, groups filled in, in the same order but for those that are kept.
    """
    comparison = comparison or StructureComparison()
    relaxed = [c for c in ranked if c.status == "ok" and c.energy_per_atom is not None]
    first = duplicate_groups(
        (cast("Structure", c.structure) for c in relaxed), [c.energy_per_atom or 0 for c in relaxed], comparison
    )
    groups: dict[int, list[Candidate]] = {}
    for candidate, f in zip(relaxed, first, strict=True):
        groups.setdefault(f, []).append(candidate)
    place = {c.id: float(k) for k, c in enumerate(ranked)}
    final = {c.id: c for c in ranked}
    for same in groups.values():
        limit = min(cast(float, c.energy_per_atom) for c in same) + SYMMETRY_COST
        near = [c for c in same if cast(float, c.energy_per_atom) <= limit]
        known = {c.id: c.seed_log_odds for c in same if c.seed_log_odds is not None and _as_begun(c, comparison)}
        log_odds = max(known.values(), default=None)
        kept = max(near, key=lambda c: (point_group_order(c.space_group_loose or 1), known.get(c.id) == log_odds))
        found = [c for c in same if c.seed_source != PUSHED] or same  # what is pushed back was found before
        sources = sorted({c.seed_source for c in found if c.seed_source})
        final |= {
            c.id: c.changed(
                duplicate_of=kept.id, n_found=None, found_by=None, prototype_log_odds=None, probability=None
            )
            for c in same
        }
        final[kept.id] = kept.changed(
            duplicate_of=None,
            n_found=len(found),
            found_by=", ".join(sources) or None,
            prototype_log_odds=log_odds,
        )
        place[kept.id] = place[same[0].id] - 0.5
    for name, probability in probabilities(list(final.values())).items():
        final[name] = final[name].changed(probability=probability)
    return sorted(final.values(), key=lambda c: place[c.id])


def _as_begun(candidate: Candidate, comparison: StructureComparison) -> bool:
    """Return whether relaxation led to no other structure."""
    raw, structure = cast("Structure", candidate.raw), cast("Structure", candidate.structure)
    return bool(_or_none(partial(comparison.same, raw, structure)))
