"""Guests into a given host."""

from __future__ import annotations

from collections.abc import Sequence

from chggen.campaign import Campaign, InpaintOptions
from chggen.execution import Machine, Progress, silent
from chggen.generation import Job
from chggen.results import Candidate, Results


def run_inpaint(
    jobs: Sequence[Job], options: InpaintOptions, machine: Machine, results: Results, progress: Progress = silent
) -> list[Candidate]:
    """Candidates with guests in a given host, ranked; jobs: those of jobs.inpaint_jobs."""
    with Campaign(options, machine, results, progress) as campaign:
        campaign.make("inpaint", jobs)
        return campaign.finish()
