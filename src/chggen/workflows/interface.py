"""Interfaces of two crystals."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from chggen.campaign import INTERFACE_FILE, Campaign, InterfaceOptions, Interfaces, answer_of_interface, check_mu
from chggen.execution import Machine, Progress, silent
from chggen.generation import check_guests
from chggen.io import write_text
from chggen.results import Candidate, Results

if TYPE_CHECKING:
    from pymatgen.core import Structure

log = logging.getLogger(__name__)


def run_interface(
    a: Structure,
    b: Structure,
    options: InterfaceOptions,
    machine: Machine,
    results: Results,
    progress: Progress = silent,
) -> list[Candidate]:
    """Make candidates of the interface of two crystals.

    Args:
        a: The first crystal, below.
        b: The second crystal, above.
        options: What is asked for.
        machine: Where to compute.
        results: Where candidates go; opened once the crystals and the options have been checked.
        progress: Told how far each stage is.

    Returns:
        The candidates, best first, failed ones last.

    Raises:
        InputError: For crystals whose planes do not match, and for guests that are no elements or have no room.
    """
    check_guests(options.guests)  # before slabs are built, which takes a while
    interfaces = Interfaces.of(a, b, options)
    check_mu(options.mu, interfaces.asked)
    for note in interfaces.notes:
        log.warning("%s", note)
    with Campaign(options, machine, results, progress) as campaign:
        campaign.make("interface", interfaces.jobs())
        campaign.compare_with(interfaces.asked, options.mu)
        final = campaign.finish()
        folder = getattr(campaign.results, "folder", None)
        if folder is not None:
            said = answer_of_interface(interfaces, (a, b), final, campaign.resources, campaign.references)
            write_text(folder / INTERFACE_FILE, json.dumps(said, indent=1))
        return final
