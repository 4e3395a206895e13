"""From jobs to candidates: sample, screen, relax, refine, batch by batch.

A job says all that its candidate depends on, so batches may be cut and spread in any way.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from chggen.candidate import Candidate, failed
from chggen.config import InputError
from chggen.crystals import Crystals, to_structures
from chggen.host import batched_hosts
from chggen.sampling.symmetry import NO_SYMMETRY, OrbitSymmetry, Symmetry
from chggen.screening import reject_reason
from chggen.settling import relax_candidates, with_space_groups
from chggen.starts import Start
from chggen.tools import Tools

if TYPE_CHECKING:
    from pymatgen.core import Structure

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Job:
    """A candidate to make: its identity and lineage (a Candidate without result), and what its tries start from."""

    candidate: Candidate
    start: Start


def make_candidates(jobs: Sequence[Job], tools: Tools) -> list[Candidate]:
    """All stages for one batch of jobs, in their order; a stage that fails marks the candidates it fails for.

    A symmetric candidate that turns out to be a saddle is followed by the lower one that it falls to.
    """
    raw = _sampled(jobs, tools)
    candidates = [_screened(job, structure) for job, structure in zip(jobs, raw, strict=True)]
    if tools.relax is None:
        return [with_space_groups(c) if c.status == "ok" else c for c in candidates]
    return relax_candidates(candidates, tools, [job.start.symmetric for job in jobs])


def _sampled(jobs: Sequence[Job], tools: Tools) -> list[Structure | str]:
    """The raw structure of each job, or why there is none."""
    seeds = [job.candidate.seed for job in jobs]

    def start(seeds: Sequence[int]) -> tuple[Crystals, Symmetry]:
        hosts, orbits = zip(*(job.start.draw(seed) for job, seed in zip(jobs, seeds, strict=True)), strict=True)
        crystals = batched_hosts(hosts).to(tools.device)
        return crystals, OrbitSymmetry.of(orbits, crystals) if any(orbits) else NO_SYMMETRY

    try:
        de_novo = not any(len(job.start.draw(job.candidate.seed)[0].framework) for job in jobs)
        made = tools.recipe(de_novo).run(tools.score(), start, seeds)
    except (RuntimeError, MemoryError, InputError) as error:
        if len(jobs) > 1:  # find the one at fault
            return [found for job in jobs for found in _sampled([job], tools)]
        log.exception("sampling %s failed", jobs[0].candidate.id)
        return [f"sampling failed: {str(error).splitlines()[0]}"]
    return list(to_structures(made))


def _screened(job: Job, made: Structure | str) -> Candidate:
    if isinstance(made, str):
        return failed(job.candidate, "sample", made)
    candidate = replace(job.candidate, raw=made, structure=made)
    reason = reject_reason(made, job.start.species)
    return failed(candidate, "screen", reason) if reason else candidate
