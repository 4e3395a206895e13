"""De novo crystals of a formula."""

from __future__ import annotations

from concurrent.futures import Executor

from chggen.campaign import Campaign, GenerateOptions
from chggen.execution import Machine, Progress, silent
from chggen.results import Candidate, Results


def run_generate(
    options: GenerateOptions,
    machine: Machine,
    results: Results,
    progress: Progress = silent,
    executor: Executor | None = None,
) -> list[Candidate]:
    """Make de novo candidates of a formula.

    Args:
        options: What is asked for.
        machine: Where to compute.
        results: Where candidates go; opened once the options have been checked.
        progress: Told how far each stage is.
        executor: What computes batches; None stands for processes of this machine.

    Returns:
        The candidates, best first, failed ones last.

    Raises:
        InputError: For a formula that cannot be made.
    """
    campaign = Campaign(options, machine, results, progress, executor)
    budget = campaign.budget(options)
    with campaign:
        campaign.spend(budget)
        return campaign.finish()
