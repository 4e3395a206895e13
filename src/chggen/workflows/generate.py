"""De novo crystals of a formula."""

from __future__ import annotations

from chggen.campaign import Campaign, GenerateOptions
from chggen.execution import Machine, Progress, silent
from chggen.results import Candidate, Results


def run_generate(
    options: GenerateOptions, machine: Machine, results: Results, progress: Progress = silent
) -> list[Candidate]:
    """De novo candidates of a formula, ranked. Raises InputError for a formula that cannot be made."""
    with Campaign(options, machine, results, progress) as campaign:
        campaign.make_planned(campaign.plan(options))
        return campaign.finish()
