"""Campaign, one run: makes what is missing, places it on the hull, and writes results as they come."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, cast

from chggen.campaign.budget import Plan
from chggen.campaign.duplicates import outcome, survivors, with_duplicates
from chggen.campaign.options import GenerateOptions, RunOptions
from chggen.campaign.production import make_candidates
from chggen.campaign.relax_and_refine import rescored
from chggen.campaign.resources import Resources
from chggen.execution import Crew, Machine, Progress, batches_of
from chggen.generation import Job
from chggen.potential import POTENTIAL_OF
from chggen.relaxation import RelaxOptions
from chggen.results import Candidate, Results, rank
from chggen.stability import hull, references_of

log = logging.getLogger(__name__)
_REDRAWS: Final = 3  # further draws of a symmetric candidate that fails or is a saddle


class Campaign:
    """One run: makes what is missing, adds hull positions, writes as results come."""

    def __init__(self, options: RunOptions, machine: Machine, results: Results, progress: Progress) -> None:
        self.resources = Resources(sampler=options.sampler, relax=options.relax, device=machine.device)
        self.references = references_of(options.references)
        self.machine = machine
        self.crew = Crew(machine)
        self.results = results
        self.progress = progress
        self._said: set[str] = set()

    def __enter__(self) -> Campaign:
        return self

    def __exit__(self, *_: object) -> None:
        self.crew.close()

    def plan(self, options: GenerateOptions) -> Plan:
        return Plan(options, joint=self.resources.shapes() is not None)

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
                tries.append(tries[0].redraw(again))
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
        for candidates in self.crew.run(make_candidates, batches, self.resources):
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
            self._say(f"no reference energies at the level of {cast(RelaxOptions, self.resources.relax).potential}")
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
        relax = self.resources.relax
        if relax is None or relax.potential != POTENTIAL_OF["pbe"]:
            return
        resources = replace(
            self.resources, relax=relax.model_copy(update={"potential": POTENTIAL_OF["r2scan"]}), loaded={}
        )
        chosen = survivors(self.results.candidates().values(), below)
        done = sum(c.energy_per_atom_r2scan is not None for c in chosen)
        self.progress("r2scan", done, len(chosen), 0)
        bad = 0
        batches = batches_of(chosen, self.machine, made=lambda c: c.energy_per_atom_r2scan is not None)
        for candidates in self.crew.run(rescored, batches, resources):
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
