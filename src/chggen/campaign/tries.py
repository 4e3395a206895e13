"""Tries: the jobs of a stage, and those that are drawn anew, as where a symmetric candidate fails or is a saddle."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from chggen.execution import Machine, share_of
from chggen.generation import Job, ShiftedInterface
from chggen.results import Candidate

log = logging.getLogger(__name__)
_REDRAWS: Final = 3  # of a candidate


class Tries:
    """The jobs of a stage, what has come of them, and what is drawn anew because of that.

    A symmetric candidate that fails or turns out to be a saddle is drawn anew, a few times, under ids of its own. So is
    one of an interface whose gap was filled with atoms that overlap: there is more room at another shift. What is drawn
    follows from the job alone, so that it may be computed at any time once the try before has failed.

    Args:
        jobs: The jobs.
        candidates: Those that are there already, by id.
    """

    def __init__(self, jobs: Sequence[Job], candidates: Mapping[str, Candidate]) -> None:
        self._jobs = jobs
        self._there = dict(candidates)
        self._tries = [[job] for job in jobs]
        self._owner = {job.candidate.id: k for k, job in enumerate(jobs)}
        self._waiting: deque[Job] = deque()
        self._done = self._bad = 0
        self.add([candidates[job.candidate.id] for job in jobs if self.made(job)])

    @property
    def ids(self) -> list[list[str]]:
        """For each job the ids of its tries, in order."""
        return [[job.candidate.id for job in tries] for tries in self._tries]

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many tries are done, how many there are, and how many of those done failed."""
        return self._done, len(self._owner), self._bad

    def made(self, job: Job) -> bool:
        """Return whether the candidate of a job was there from the start.

        Args:
            job: The job.
        """
        return job.candidate.id in self._there

    def add(self, candidates: Iterable[Candidate]) -> None:
        """Take in candidates that have come, and draw anew what has to be.

        Args:
            candidates: The candidates, among which there may be others than those of tries.
        """
        for candidate in candidates:
            if (k := self._owner.get(candidate.id)) is None:
                continue
            self._done += 1
            if candidate.status == "ok":
                continue
            self._bad += 1
            if (again := self._drawn_anew(k, candidate)) is not None:
                self._owner[again.candidate.id] = k
                self._tries[k].append(again)
                if self.made(again):
                    self.add([self._there[again.candidate.id]])
                else:
                    self._waiting.append(again)

    def more(self, machine: Machine) -> Sequence[Job]:
        """Return some of the jobs drawn anew that wait: so many that every worker may get some.

        Args:
            machine: Where they are computed.

        Returns:
            The jobs, none if none wait.
        """
        return [self._waiting.popleft() for _ in range(share_of(len(self._waiting), machine))]

    def _drawn_anew(self, k: int, candidate: Candidate) -> Job | None:
        """The next try of a job whose candidate failed; None where there is none."""
        first, again = self._jobs[k], len(self._tries[k])
        overlaps = candidate.failed_at == "screen" and isinstance(first.start, ShiftedInterface)
        if again > _REDRAWS or not (first.start.symmetric or overlaps):
            return None
        try:
            return first.redraw(again)
        except Exception:  # of a source that fails: the candidate stays as it is
            log.warning("%s cannot be drawn anew", first.candidate.id, exc_info=True)
            return None
