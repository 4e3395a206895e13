"""Guests into a given host."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from chggen.campaign import Campaign, FurtherLevels, InpaintHost, InpaintOptions, check_mu, inpaint_jobs
from chggen.execution import Machine, Progress, silent
from chggen.regions import Region
from chggen.results import Candidate, Results

if TYPE_CHECKING:
    from pymatgen.core import Structure


def run_inpaint(
    host: Structure,
    options: InpaintOptions,
    machine: Machine,
    results: Results,
    progress: Progress = silent,
    regions: Mapping[str, Region] = MappingProxyType({}),
) -> list[Candidate]:
    """Make candidates with guests in a given host.

    Args:
        host: The host.
        options: What is asked for.
        machine: Where to compute.
        results: Where candidates go; opened once the host and the options have been checked.
        progress: Told how far each stage is.
        regions: Regions that are objects, element symbol to region, for which the words of the options stand.

    Returns:
        The candidates, best first, failed ones last.

    Raises:
        InputError: For a host or guests that do not fit.
    """
    asked = InpaintHost.of(host, options, regions)
    check_mu(options.mu, asked)
    jobs = inpaint_jobs(asked, options)
    with Campaign(options, machine, results, progress) as campaign:
        campaign.make("inpaint", campaign.own(jobs))
        if asked.compared and options.relax is not None:
            campaign.compare_with(asked, options.mu)
        FurtherLevels(campaign).of_run(None)
        return campaign.finish()
