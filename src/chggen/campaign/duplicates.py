"""What of the candidates made is kept: the outcome of a job, duplicate groups, and what is worth a second level."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from chggen.campaign.relax_and_refine import SYMMETRY_COST, lower_id
from chggen.results import Candidate, rank
from chggen.symmetry import above_trivial, point_group_order

if TYPE_CHECKING:
    from pymatgen.core import Structure

_ENERGY_WINDOW: Final = 0.02  # eV/atom between structures that are compared as duplicates


def duplicate_groups(structures: Sequence[Structure], energies: Sequence[float]) -> list[int]:
    """For each structure the index of the first one equal to it (its own when it is the first).

    Sequence order decides who is first. Compared are structures of one reduced formula within 20 meV/atom. energies:
    eV/atom.
    """
    first: list[int] = []
    for i, structure in enumerate(structures):
        match = i
        for j in sorted(set(first)):
            near = abs(energies[i] - energies[j]) < _ENERGY_WINDOW
            if near and same_structure(structure, structures[j]):
                match = j
                break
        first.append(match)
    return first


def same_structure(one: Structure, other: Structure) -> bool:
    """Whether pymatgen's StructureMatcher takes both for the same, with its default tolerances."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    return bool(StructureMatcher().fit(one, other))


def outcome(tries: Sequence[str], made: Mapping[str, Candidate]) -> Candidate | None:
    """The lowest of what came of the tries of a job, preferably above P1 and P-1; what saddles fell to counts.

    tries: ids of the candidates; made: all of the run by id. By energy, not rank: a run that is repeated has r²SCAN
    energies by now, which must not make another candidate the parent.
    """
    names = [name for own in tries for name in (own, lower_id(own))]
    good = [made[name] for name in names if name in made and made[name].status == "ok"]
    symmetric = [c for c in good if above_trivial(c.space_group_loose)]
    return min(
        symmetric or good,
        key=lambda c: (math.inf if c.energy_per_atom is None else c.energy_per_atom, c.id),
        default=None,
    )


def survivors(candidates: Iterable[Candidate], below: float) -> list[Candidate]:
    """The distinct good candidates of E_d below this at PBE level, by rank at that level.

    As if there were no r²SCAN energies yet: a run that goes on after a kill has some, and order decides who stays.
    """

    def at_pbe(candidate: Candidate) -> Any:
        return rank(replace(candidate, energy_per_atom_r2scan=None, e_decomposition_r2scan=None))

    distinct = with_duplicates(sorted(candidates, key=at_pbe))
    return [
        c for c in distinct if c.duplicate_of is None and c.e_decomposition is not None and c.e_decomposition < below
    ]


def with_duplicates(ranked: Sequence[Candidate]) -> list[Candidate]:
    """Ranked candidates with their duplicate groups: duplicate_of, and n_found, found_by, likeness of the one kept.

    That is the most symmetric of those within 5 meV/atom of the group's lowest, which is what symmetry may cost, of
    equals the one of the likeliest prototype; it stands before the others. A prototype counts for what still is it.
    """
    relaxed = [c for c in ranked if c.status == "ok" and c.energy_per_atom is not None]
    first = duplicate_groups(
        [cast("Structure", c.structure) for c in relaxed], [c.energy_per_atom or 0 for c in relaxed]
    )
    groups: dict[int, list[Candidate]] = {}
    for candidate, f in zip(relaxed, first, strict=True):
        groups.setdefault(f, []).append(candidate)
    place = {c.id: float(k) for k, c in enumerate(ranked)}
    final = {c.id: c for c in ranked}
    for same in groups.values():
        limit = min(cast(float, c.energy_per_atom) for c in same) + SYMMETRY_COST
        near = [c for c in same if cast(float, c.energy_per_atom) <= limit]
        known = {c.id: c.seed_log_odds for c in same if c.seed_log_odds is not None and _as_begun(c)}
        log_odds = max(known.values(), default=None)
        kept = max(near, key=lambda c: (point_group_order(c.space_group_loose or 1), known.get(c.id) == log_odds))
        sources = sorted({c.seed_source for c in same if c.seed_source})
        final |= {
            c.id: replace(c, duplicate_of=kept.id, n_found=None, found_by=None, prototype_log_odds=None) for c in same
        }
        final[kept.id] = replace(
            kept, duplicate_of=None, n_found=len(same), found_by=", ".join(sources) or None, prototype_log_odds=log_odds
        )
        place[kept.id] = place[same[0].id] - 0.5
    return sorted(final.values(), key=lambda c: place[c.id])


def _as_begun(candidate: Candidate) -> bool:
    """Whether its relaxation led to no other structure."""
    return same_structure(cast("Structure", candidate.raw), cast("Structure", candidate.structure))
