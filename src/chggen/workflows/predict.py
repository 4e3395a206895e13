"""The whole workflow: de novo crystals, frameworks, guests, second level."""

from __future__ import annotations

from chggen.campaign import Campaign, PredictOptions, framework_jobs, guests_by_formula
from chggen.execution import Machine, Progress, silent
from chggen.results import Candidate, Results


def run_predict(
    options: PredictOptions, machine: Machine, results: Results, progress: Progress = silent
) -> list[Candidate]:
    """The whole workflow (paper, Fig. 3): de novo, strip guests, symmetrised framework, inpaint; ranked."""
    with Campaign(options, machine, results, progress) as campaign:
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
