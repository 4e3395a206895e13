"""Strings the stages together: what is made and drawn anew, and what is said of all candidates at the end."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol, cast, runtime_checkable

from chggen.candidate import Candidate, rank
from chggen.decomposition import hull
from chggen.jobs import framework_jobs, guests_by_formula
from chggen.options import (
    POTENTIAL_OF,
    GenerateOptions,
    InpaintOptions,
    MachineOptions,
    PredictOptions,
    RelaxOptions,
    RunOptions,
)
from chggen.plan import Plan
from chggen.references import references_of
from chggen.screening import duplicate_groups, same_structure
from chggen.settling import SYMMETRY_COST, lower_id, rescored
from chggen.symmetry import above_trivial, point_group_order
from chggen.tools import Tools
from chggen.workers import Crew, batches_of
from chggen.workshop import Job, make_candidates

if TYPE_CHECKING:
    from pymatgen.core import Structure

log = logging.getLogger(__name__)
_REDRAWS: Final = 3  # further draws of a symmetric candidate that fails or is a saddle


@runtime_checkable
class Results(Protocol):
    """Where candidates go as they come: a results folder or memory."""

    def put(self, candidates: Iterable[Candidate]) -> None: ...
    def candidates(self) -> dict[str, Candidate]: ...
    def export(self, candidates: Sequence[Candidate]) -> None: ...


class Memory:
    """Results that live as long as the call."""

    def __init__(self) -> None:
        self._found: dict[str, Candidate] = {}

    def put(self, candidates: Iterable[Candidate]) -> None:
        self._found.update({c.id: c for c in candidates})

    def candidates(self) -> dict[str, Candidate]:
        return dict(sorted(self._found.items()))

    def export(self, candidates: Sequence[Candidate]) -> None:
        """Nothing to write."""


# stage, candidates done, candidates in all, of them failed
Progress = Callable[[str, int, int, int], None]


def silent(stage: str, done: int, total: int, failures: int) -> None:
    """Progress that nobody watches."""


def run_generate(
    options: GenerateOptions, machine: MachineOptions, results: Results, progress: Progress = silent
) -> list[Candidate]:
    """De novo candidates of a formula, ranked. Raises InputError for a formula that cannot be made."""
    with _Campaign(options, machine, results, progress) as campaign:
        campaign.make_planned(campaign.plan(options))
        return campaign.finish()


def run_predict(
    options: PredictOptions, machine: MachineOptions, results: Results, progress: Progress = silent
) -> list[Candidate]:
    """The whole workflow (paper, Fig. 3): de novo, strip guests, symmetrised framework, inpaint; ranked."""
    with _Campaign(options, machine, results, progress) as campaign:
        plan = campaign.plan(options)
        guests = guests_by_formula(plan.species, options)
        parents = campaign.make_planned(plan)
        made = results.candidates()
        found = [framework_jobs(p, guests[p.formula], options) for p in parents if guests[p.formula]]
        results.put(c for c in found if isinstance(c, Candidate) and c.id not in made)
        campaign.make("inpaint", [job for jobs in found if isinstance(jobs, list) for job in jobs])
        if options.second_level_below is not None:
            campaign.rescore(options.second_level_below)
        return campaign.finish()


def run_inpaint(
    jobs: Sequence[Job], options: InpaintOptions, machine: MachineOptions, results: Results, progress: Progress = silent
) -> list[Candidate]:
    """Candidates with guests in a given host, ranked; jobs: those of jobs.inpaint_jobs."""
    with _Campaign(options, machine, results, progress) as campaign:
        campaign.make("inpaint", jobs)
        return campaign.finish()


class _Campaign:
    """One run: makes what is missing, adds hull positions, writes as results come."""

    def __init__(self, options: RunOptions, machine: MachineOptions, results: Results, progress: Progress) -> None:
        self.tools = Tools(sampler=options.sampler, relax=options.relax, device=machine.device)
        self.references = references_of(options.references)
        self.machine = machine
        self.crew = Crew(machine)
        self.results = results
        self.progress = progress
        self._said: set[str] = set()

    def __enter__(self) -> _Campaign:
        return self

    def __exit__(self, *_: object) -> None:
        self.crew.close()

    def plan(self, options: GenerateOptions) -> Plan:
        return Plan(options, joint=self.tools.shapes() is not None)

    def make_planned(self, plan: Plan) -> list[Candidate]:
        """The good candidates of all rounds of a plan."""
        found: list[Candidate] = []
        rounds = 0
        while jobs := plan.next_round():
            rounds += 1
            outcomes = self.make("generate" if rounds == 1 else f"generate, round {rounds}", jobs)
            plan.learn(outcomes)
            found += [outcome for outcome in outcomes if outcome is not None]
        return found

    def make(self, stage: str, jobs: Sequence[Job]) -> list[Candidate | None]:
        """What comes of each job: a good candidate, or None.

        Symmetric ones that fail or turn out to be saddles are drawn anew, a few times, under ids of their own.
        """
        attempts = [[job] for job in jobs]
        self._make_each(stage, jobs)
        for again in range(1, _REDRAWS + 1):
            made = self.results.candidates()
            open_ = [tries for tries in attempts if tries[0].start.symmetric and not _good(tries[-1], made)]
            for tries in open_:
                tries.append(tries[0].again(again))
            if open_:
                self._make_each(f"{stage}, redrawn {again}", [tries[-1] for tries in open_])
        made = self.results.candidates()
        return [outcome([job.candidate.id for job in tries], made) for tries in attempts]

    def _make_each(self, stage: str, jobs: Sequence[Job]) -> None:
        made = self.results.candidates()
        names = {job.candidate.id for job in jobs}
        done = sum(job.candidate.id in made for job in jobs)
        bad = sum(made[job.candidate.id].status == "failed" for job in jobs if job.candidate.id in made)
        self.progress(stage, done, len(jobs), bad)
        batches = batches_of(jobs, self.machine, made=lambda job: job.candidate.id in made)
        for candidates in self.crew.run(make_candidates, batches, self.tools):
            self.results.put([self._placed(c) for c in candidates])
            asked = [c for c in candidates if c.id in names]
            done += len(asked)
            bad += sum(c.status == "failed" for c in asked)
            self.progress(stage, done, len(jobs), bad)
            for c in candidates:
                log.info("%s %s %s", c.id, c.status, f"{c.failed_at}: {c.reason}" if c.reason else "")

    def _placed(self, candidate: Candidate) -> Candidate:
        """The candidate with its decomposition energy, where there are references."""
        if candidate.status != "ok" or candidate.energy_per_atom is None or candidate.level is None:
            return candidate
        if candidate.level not in self.references.levels:
            self._say(f"no reference energies at the level of {cast(RelaxOptions, self.tools.relax).potential}")
            return candidate
        position = hull(candidate.formula, candidate.energy_per_atom, level=candidate.level, references=self.references)
        if position.e_decomposition is None and position.reason:
            self._say(position.reason)
        candidate = replace(
            candidate,
            e_decomposition=position.e_decomposition,
            decomposition_products=position.products or None,
            known_as=self.references.known_as(
                candidate.formula, candidate.energy_per_atom, candidate.level, candidate.space_group_loose
            ),
        )
        if candidate.level != "r2scan":
            return candidate
        return replace(
            candidate,
            energy_per_atom_r2scan=candidate.energy_per_atom,
            e_decomposition_r2scan=candidate.e_decomposition,
        )

    def rescore(self, below: float) -> None:
        """Relax the distinct candidates of E_d below this at PBE level again with r²SCAN weights, and place them."""
        relax = self.tools.relax
        if relax is None or relax.potential != POTENTIAL_OF["pbe"]:
            return
        tools = replace(self.tools, relax=relax.model_copy(update={"potential": POTENTIAL_OF["r2scan"]}), loaded={})
        chosen = survivors(self.results.candidates().values(), below)
        done = sum(c.energy_per_atom_r2scan is not None for c in chosen)
        self.progress("r2scan", done, len(chosen), 0)
        bad = 0
        batches = batches_of(chosen, self.machine, made=lambda c: c.energy_per_atom_r2scan is not None)
        for candidates in self.crew.run(rescored, batches, tools):
            self.results.put([self._placed_again(c) for c in candidates])
            done, bad = done + len(candidates), bad + sum(c.energy_per_atom_r2scan is None for c in candidates)
            self.progress("r2scan", done, len(chosen), bad)

    def _placed_again(self, candidate: Candidate) -> Candidate:
        """The candidate with its decomposition energy at r²SCAN level."""
        if candidate.energy_per_atom_r2scan is None:
            return candidate
        position = hull(candidate.formula, candidate.energy_per_atom_r2scan, level="r2scan", references=self.references)
        if position.e_decomposition is None and position.reason:
            self._say(position.reason)
        return replace(candidate, e_decomposition_r2scan=position.e_decomposition)

    def _say(self, reason: str) -> None:
        """Log, once a run, why decomposition energies are missing."""
        if reason not in self._said:
            self._said.add(reason)
            log.warning("no decomposition energy: %s", reason)

    def finish(self) -> list[Candidate]:
        """Duplicates found, candidates ranked and written: best first, failures last."""
        before = self.results.candidates()
        final = with_duplicates(sorted(before.values(), key=rank))
        self.results.put(c for c in final if c != before[c.id])
        self.results.export(final)
        return final


def _good(job: Job, made: Mapping[str, Candidate]) -> bool:
    return made[job.candidate.id].status == "ok"


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
        known = {c.id: c.seed_likeness for c in same if c.seed_likeness is not None and _as_begun(c)}
        likeness = max(known.values(), default=None)
        kept = max(near, key=lambda c: (point_group_order(c.space_group_loose or 1), known.get(c.id) == likeness))
        sources = sorted({c.seed_source for c in same if c.seed_source})
        final |= {c.id: replace(c, duplicate_of=kept.id, n_found=None, found_by=None, likeness=None) for c in same}
        final[kept.id] = replace(
            kept, duplicate_of=None, n_found=len(same), found_by=", ".join(sources) or None, likeness=likeness
        )
        place[kept.id] = place[same[0].id] - 0.5
    return sorted(final.values(), key=lambda c: place[c.id])


def _as_begun(candidate: Candidate) -> bool:
    """Whether its relaxation led to no other structure."""
    return same_structure(cast("Structure", candidate.raw), cast("Structure", candidate.structure))
