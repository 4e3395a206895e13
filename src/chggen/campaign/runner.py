"""Campaign, one run: makes what is missing, places it on the hull, and writes results as they come."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, cast

from chggen.campaign.budget import Budget
from chggen.campaign.comparison import StructureComparison
from chggen.campaign.duplicates import outcome, with_duplicates
from chggen.campaign.inpaint_host import InpaintHost
from chggen.campaign.insertion_energy import insertion_of
from chggen.campaign.options import GenerateOptions, RunOptions
from chggen.campaign.production import expected_seconds, lost_job, make_candidates
from chggen.campaign.provenance import digests_of, write_down
from chggen.campaign.resources import Resources, check_potential
from chggen.campaign.tries import Tries
from chggen.errors import InputError
from chggen.execution import Failure, Machine, NotedProgress, Progress, Workers, batches_of, on_executor, silent
from chggen.generation import Job
from chggen.regions import no_bulk
from chggen.relaxation import RelaxOptions
from chggen.results import Candidate, Results, failed, ranked
from chggen.stability import hull, references_of

log = logging.getLogger(__name__)
NOTE: Final = ".under-way"
"""File of a results folder that names what this process computes itself, see `Workers`."""
_SECONDS_A_RESCORING: Final = 2.0  # of one core, roughly


class Campaign:
    """One run: makes what is missing, places it on the hull, and writes results as they come.

    Making a campaign checks what can be refused. Entering it as a context manager opens the results.

    Args:
        options: What is asked for.
        machine: Where to compute.
        results: Where candidates go; opened when the campaign is entered.
        progress: Told how far each stage is.

    Raises:
        InputError: For a score model, a potential or references that cannot be loaded.
    """

    def __init__(
        self,
        options: RunOptions,
        machine: Machine,
        results: Results,
        progress: Progress = silent,
    ) -> None:
        self.references = references_of(options.references)
        if options.relax is not None:
            check_potential(options.relax.potential)
            for judge in options.judge_by:
                check_potential(judge)
        elif options.judge_by:
            raise InputError(
                f"judge_by {', '.join(options.judge_by)} expects relaxed candidates, and those of this run are not; "
                "leave it out, or relax"
            )
        self.resources = Resources(
            sampler=options.sampler, relax=options.relax, held=options.held_elements, device=machine.here.device
        )
        self.resources.check()
        self.machine = machine
        self.options = options
        self._folder: Path | None = getattr(results, "folder", None)
        self.results = results
        self.progress = NotedProgress(progress, self._folder)
        self.comparison = StructureComparison()
        self._said: set[str] = set()

    def __enter__(self) -> Campaign:
        with ExitStack() as opened:
            opened.enter_context(self.results)
            if self._folder is not None:
                given = self.options
                digests = digests_of(given.sampler, given.relax, given.references, given.judge_by)
                write_down(self._folder, given.resolved(), self.machine, digests)
            self.machine = opened.enter_context(on_executor(self.machine, self._folder))
            self.workers = Workers(self.machine, None if self._folder is None else self._folder / NOTE)
            self._opened = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.progress.close()
        self._opened.__exit__(kind, error, trace)

    def budget(self, options: GenerateOptions) -> Budget:
        """Return the budget of the de novo candidates, checked.

        Args:
            options: What is asked for.

        Returns:
            The budget, of which nothing is spent yet.

        Raises:
            InputError: A formula cannot be made.
        """
        budget = Budget(options, draws_cells=self.resources.cell_drawer() is not None)
        budget.check()
        return budget

    def spend(self, budget: Budget) -> list[Candidate]:
        """Make the candidates of all rounds of a budget.

        Args:
            budget: The budget, of which nothing is spent yet.

        Returns:
            The good candidates, in the order in which they were asked for.
        """
        found: list[Candidate] = []
        rounds = 0
        while jobs := budget.next_round():
            rounds += 1
            outcomes = self.make(
                "generate" if rounds == 1 else f"generate, round {rounds}", self.own(jobs), budget.left
            )
            if budget.left:
                budget.learn(outcomes)
            found += [outcome for outcome in outcomes if outcome is not None]
        return found

    def own(self, jobs: Sequence[Job]) -> list[Job]:
        """Return those of the jobs of a run that are made here: all of them, but in a part of a run (`--shard`).

        Args:
            jobs: The jobs of the first stage.
        """
        return self.options.part.own(jobs)

    def make(self, stage: str, jobs: Sequence[Job], later: int = 0) -> list[Candidate | None]:
        """Make the candidates of jobs.

        Symmetric ones that fail or turn out to be saddles are drawn anew, see `Tries`.

        Args:
            stage: What the progress display calls this.
            jobs: The jobs.
            later: Number of jobs like these that are to follow, for which workers are worth starting as well.

        Returns:
            For each job the good candidate that came of it, or None.
        """
        if not jobs:  # as of formulas that have no guests: such a stage is none
            return []
        tries = Tries(jobs, self.results.candidates())
        self.progress(stage, *tries.counts)

        def seconds(job: Job) -> float:
            return expected_seconds(job, self.resources)

        batches = batches_of(jobs, self.machine, tries.made, seconds)
        now = self.resources.seconds((seconds(job) for batch in batches for job in batch), self.machine)
        for candidates in self.workers.run(
            make_candidates,
            batches,
            self.sent(self.resources),
            lost_job,
            now * (1 + later / len(jobs)),
            name=lambda job: str(job.candidate.id),
            more=lambda: tries.more(self.machine),
        ):
            placed = [self._or_failed(self._placed, c) for c in candidates]
            self.results.put(placed)
            tries.add(placed)
            self.progress(stage, *tries.counts)
            for c in candidates:
                log.info("%s %s %s", c.id, c.status, f"{c.failed_at}: {c.reason}" if c.reason else "")
        made = self.results.candidates()
        return [outcome(ids, made) for ids in tries.ids]

    def sent(self, resources: Resources) -> Resources:
        """Return resources as workers use them, whose device this machine need not have.

        Args:
            resources: The resources.
        """
        if self.machine.device == resources.device:
            return resources
        return replace(resources, device=self.machine.device, loaded={})

    def _or_failed(self, placed: Callable[[Candidate], Candidate], candidate: Candidate) -> Candidate:
        """Return a candidate placed on the hull; failed there where placing it raises anything."""
        try:
            return placed(candidate)
        except Exception as error:
            log.warning("%s cannot be placed", candidate.id, exc_info=True)
            return failed(candidate, "hull", Failure.of(error).reason)

    def _placed(self, candidate: Candidate) -> Candidate:
        """Return a candidate with its decomposition energy and the known phase that it is, if there are references."""
        if candidate.status != "ok" or candidate.energy_per_atom is None or candidate.level is None:
            return candidate
        if candidate.structure is not None and (slab := no_bulk(candidate.structure)) is not None:
            self.say(slab)
            return replace(candidate, hull_warning=slab)
        if candidate.level not in self.references.levels:
            self.say(f"no reference energies at the level of {cast(RelaxOptions, self.resources.relax).potential}")
            return candidate
        position = hull(candidate.formula, candidate.energy_per_atom, level=candidate.level, references=self.references)
        if position.e_decomposition is None and position.reason:
            self.say(position.reason)
        known = self.references.known_as(
            candidate.formula,
            candidate.energy_per_atom,
            candidate.level,
            candidate.space_group_loose,
            candidate.structure,
        )
        candidate = candidate.with_energy(candidate.level, candidate.energy_per_atom, position.e_decomposition)
        return replace(
            candidate,
            decomposition_products=position.products or None,
            hull_warning=position.warning,
            known_as=known,
        )

    def compare_with(self, asked: InpaintHost, mu: Mapping[str, float]) -> None:
        """Give candidates their insertion energies, against the structure that was given.

        Args:
            asked: The host as it is asked for.
            mu: Element symbol, or name of a molecule, to chemical potential, eV each, where one is stated.
        """
        found = insertion_of(asked, mu, self.resources, self.references, self._folder)
        if isinstance(found, str):
            log.warning("%s", found)
            return
        before = self.results.candidates().values()
        self.results.put([placed for c in before if (placed := found.placed(c)) != c])

    def say(self, reason: str) -> None:
        """Log, once a run, why decomposition energies are missing.

        Args:
            reason: Why.
        """
        if reason not in self._said:
            self._said.add(reason)
            log.warning("no decomposition energy: %s", reason)

    def finish(self) -> list[Candidate]:
        """Find duplicates, rank the candidates and export them.

        Returns:
            All candidates, best first, failed ones last.
        """
        final = with_duplicates(ranked(self.results.candidates().values()), self.comparison)
        self.results.put(_changed(final, self.results.candidates()))
        self.results.export(final)
        self.workers.finish()
        return final


def _changed(candidates: Sequence[Candidate], before: Mapping[str, Candidate]) -> list[Candidate]:
    """Return those candidates that are not what they were before."""
    return [c for c in candidates if c != before[c.id]]
