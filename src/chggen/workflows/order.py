"""Ordered structures of a disordered one."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from chggen.campaign import (
    ORDER_FILE,
    Campaign,
    FurtherLevels,
    OrderAnswer,
    Orderings,
    OrderOptions,
    check_held_elements,
    check_potential,
)
from chggen.execution import Machine, Progress, silent
from chggen.io import own_text, write_text
from chggen.results import Candidate, Results

if TYPE_CHECKING:
    from pymatgen.core import Structure

log = logging.getLogger(__name__)


def run_order(
    structure: Structure,
    options: OrderOptions,
    machine: Machine,
    results: Results,
    progress: Progress = silent,
) -> list[Candidate]:
    """Find the lowest ordered structures of a disordered one.

    Args:
        structure: The structure, whose sites may be shared or partially occupied.
        options: What is asked for.
        machine: Where to compute.
        results: Where candidates go; opened once the structure and the options have been checked.
        progress: Told how far each stage is.

    Returns:
        The candidates, best first, failed ones last.

    Raises:
        InputError: For a structure that cannot be ordered.
    """
    check_held_elements(options.hold, structure)
    orderings = Orderings(structure, options)
    assert options.relax is not None
    check_potential(options.relax.potential)
    for note in orderings.notes:
        log.warning("%s", note)
    compared = 0

    def told(more: int) -> None:
        nonlocal compared
        compared += more
        progress("compare", compared, 0, 0)

    with Campaign(options, machine, results, progress) as campaign:
        folder = getattr(campaign.results, "folder", None)
        if folder is None or not _is_done(folder, options.n):  # else all are there, and none is looked for
            jobs = orderings.jobs(campaign.resources.potential(), told)
            if len(jobs) < options.n and not orderings.disorder.is_ordered:
                log.warning("%d of %d: there are no more distinct orderings in these cells", len(jobs), options.n)
            campaign.make("order", jobs)
        FurtherLevels(campaign).of_run(options.second_level_below)
        final = campaign.finish()
        if folder is not None:
            write_order(OrderAnswer.of(structure, final, options.temperature), options.n, folder)
        return final


def write_order(answer: OrderAnswer, n: int, folder: Path) -> None:
    """Write what the orderings say.

    Args:
        answer: The answer.
        n: Number of orderings that was asked for.
        folder: The results folder.
    """
    write_text(folder / ORDER_FILE, json.dumps({"n": n, **answer.as_dict()}, indent=1))


def _is_done(folder: Path, n: int) -> bool:
    """Return whether a run that asked for as many has come to its end in a folder."""
    try:
        return bool(json.loads(own_text(folder / ORDER_FILE))["n"] == n)
    except (OSError, ValueError, KeyError, TypeError):
        return False
