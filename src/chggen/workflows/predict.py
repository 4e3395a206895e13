"""The whole workflow: de novo crystals, their symmetrised frameworks, guests, and a second level for the survivors."""

from __future__ import annotations

from chggen.campaign import Campaign, FurtherLevels, PredictOptions, framework_jobs, guests_by_formula
from chggen.execution import Machine, Progress, silent
from chggen.results import Candidate, Results


def run_predict(
    options: PredictOptions,
    machine: Machine,
    results: Results,
    progress: Progress = silent,
) -> list[Candidate]:
    """Predict crystals of a formula or a system (paper, Fig. 3).

    De novo candidates come first. Their guests are taken out, the framework that is left is symmetrised, and guests
    are inpainted in it. Survivors are relaxed once more at a further level.

    Args:
        options: What is asked for.
        machine: Where to compute.
        results: Where candidates go; opened once the options have been checked.
        progress: Told how far each stage is.

    Returns:
        The candidates, best first, failed ones last.

    Raises:
        InputError: For formulas that cannot be made, and guests that are none of their species.
    """
    campaign = Campaign(options, machine, results, progress)
    budget = campaign.budget(options)
    guests = guests_by_formula(budget.species, options)
    with campaign:
        parents = campaign.spend(budget)
        made = campaign.results.candidates()
        found = [framework_jobs(p, guests[p.formula], options) for p in parents if guests[p.formula]]
        campaign.results.put(c for c in found if isinstance(c, Candidate) and c.id not in made)
        campaign.make("inpaint", [job for jobs in found if isinstance(jobs, list) for job in jobs])
        FurtherLevels(campaign).of_run(options.second_level_below)
        return campaign.finish()
