"""Interfaces of two crystals."""

from __future__ import annotations

import json
import logging
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, Final

from chggen.campaign import Campaign, InterfaceOptions, Interfaces, check_mu
from chggen.execution import Machine, Progress, silent
from chggen.io import write_text
from chggen.results import Candidate, Results

if TYPE_CHECKING:
    from pymatgen.core import Structure

log = logging.getLogger(__name__)
INTERFACE_FILE: Final = "interface.json"
"""File of a results folder that holds what the interface is, and energies per area."""
_J_PER_M2: Final = 16.02176634  # of 1 eV/Å², CODATA 2018


def run_interface(
    a: Structure,
    b: Structure,
    options: InterfaceOptions,
    machine: Machine,
    results: Results,
    progress: Progress = silent,
    executor: Executor | None = None,
) -> list[Candidate]:
    """Make candidates of the interface of two crystals.

    Args:
        a: The first crystal, below.
        b: The second crystal, above.
        options: What is asked for.
        machine: Where to compute.
        results: Where candidates go; opened once the crystals and the options have been checked.
        progress: Told how far each stage is.
        executor: What computes batches; None stands for processes of this machine.

    Returns:
        The candidates, best first, failed ones last.

    Raises:
        InputError: For crystals whose planes do not match, or guests without room.
    """
    check_mu(options.mu)
    interfaces = Interfaces.of(a, b, options)
    for note in interfaces.notes:
        log.warning("%s", note)
    with Campaign(options, machine, results, progress, executor) as campaign:
        campaign.make("interface", interfaces.jobs())
        campaign.compare_with(interfaces.asked, options.mu)
        final = campaign.finish()
        folder = getattr(campaign.results, "folder", None)
        if folder is not None:
            write_text(folder / INTERFACE_FILE, json.dumps(interface_table(interfaces, final), indent=1))
        return final


def interface_table(interfaces: Interfaces, candidates: list[Candidate]) -> dict[str, Any]:
    """Return what an interface is, with the energies of its candidates per area, as plain data.

    Args:
        interfaces: The interface.
        candidates: Its candidates.

    Returns:
        `area` in Å², `strain`, `gap` in Å, `terminations`, and for each good candidate `interface_energy` in J/m²:
        against the two strained slabs and the chemical potentials of the guests; the work of adhesion with its sign
        turned, where there are no guests.
    """
    cell = interfaces.cell
    rows = [
        {"id": c.id, "interface_energy": c.e_insertion / cell.area * _J_PER_M2, "duplicate_of": c.duplicate_of}
        for c in candidates
        if c.e_insertion is not None
    ]
    return {
        "area": cell.area,
        "strain": cell.strain,
        "gap": list(cell.gap),
        "atoms": len(cell.structure),
        "terminations": [list(pair) for pair in cell.terminations],
        "candidates": rows,
    }
