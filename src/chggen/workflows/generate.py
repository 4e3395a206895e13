"""De novo crystals of a formula."""

from __future__ import annotations

from chggen.campaign import Campaign, FurtherLevels, GenerateOptions
from chggen.execution import Machine, Progress, silent
from chggen.results import Candidate, Results


def run_generate(
    options: GenerateOptions,
    machine: Machine,
    results: Results,
    progress: Progress = silent,
) -> list[Candidate]:
    """Make de novo candidates of a formula.

    Args:
        options: What is asked for.
        machine: Where to compute.
        results: Where candidates go; opened once the options have been checked.
        progress: Told how far each stage is.

    Returns:
        The candidates, best first, failed ones last.

    Raises:
        InputError: For a formula that cannot be made.
    """
    campaign = Campaign(options, machine, results, progress)
    budget = campaign.budget(options)
    with campaign:
        campaign.spend(budget)
        FurtherLevels(campaign).of_run(None)
        return campaign.finish()
