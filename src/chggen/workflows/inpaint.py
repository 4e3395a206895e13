"""Guests into a given host."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from types import MappingProxyType
from typing import TYPE_CHECKING

from chggen.campaign import Campaign, InpaintHost, InpaintOptions, check_mu, inpaint_jobs
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
    executor: Executor | None = None,
    regions: Mapping[str, Region] = MappingProxyType({}),
) -> list[Candidate]:
    """Make candidates with guests in a given host.

    Args:
        host: The host.
        options: What is asked for.
        machine: Where to compute.
        results: Where candidates go; opened once the host and the options have been checked.
        progress: Told how far each stage is.
        executor: What computes batches; None stands for processes of this machine.
        regions: Regions that are objects, element symbol to region, for which the words of the options stand.

    Returns:
        The candidates, best first, failed ones last.

    Raises:
        InputError: For a host or guests that do not fit.
    """
    asked = InpaintHost.of(host, options, regions)
    check_mu(options.mu, asked)
    jobs = inpaint_jobs(asked, options)
    with Campaign(options, machine, results, progress, executor) as campaign:
        campaign.make("inpaint", jobs)
        if asked.compared and options.relax is not None:
            campaign.compare_with(asked, options.mu)
        return campaign.finish()
