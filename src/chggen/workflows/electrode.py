"""Insertion electrodes: how many ions go in, where, and at what voltage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from chggen.campaign import (
    Campaign,
    ElectrodeOptions,
    ElectrodeScan,
    FurtherLevels,
    check_held_elements,
    check_potential,
)
from chggen.errors import InputError
from chggen.execution import Machine, Progress, silent
from chggen.io import write_text
from chggen.potential import level_of
from chggen.results import Candidate, Results
from chggen.stability import ELECTRODE_FILE, Electrode, element_energies, references_of

if TYPE_CHECKING:
    from pymatgen.core import Structure


def run_electrode(
    host: Structure,
    options: ElectrodeOptions,
    machine: Machine,
    results: Results,
    progress: Progress = silent,
) -> Electrode:
    """Scan the contents of an insertion electrode.

    Args:
        host: The host, with or without ions.
        options: What is asked for.
        machine: Where to compute.
        results: Where candidates go; opened once the host and the options have been checked.
        progress: Told how far each stage is.

    Returns:
        The electrode, at the last level of theory at which both ends have energies.

    Raises:
        InputError: For a host, an ion or contents that do not fit, or an element without a reference energy.
    """
    check_held_elements(options.hold, host)
    scan = ElectrodeScan(host, options)
    assert options.relax is not None
    check_potential(options.relax.potential)
    level = level_of(options.relax.potential).name
    elements = element_energies(options.ion, references_of(options.references))
    if level not in elements:
        raise InputError(
            f"the references have no energy of {options.ion} at the level {level}, which voltages are against; add it "
            "with `chggen references build` and --references"
        )
    with Campaign(options, machine, results, progress) as campaign:
        potential = campaign.resources.potential()
        rounds = 0
        while jobs := scan.next_round(campaign.results.candidates(), potential):
            rounds += 1
            campaign.make(f"electrode, round {rounds}", jobs)
        made = campaign.results.candidates()
        FurtherLevels(campaign).of([c for content in scan.contents for c in scan.lowest(content, made)])
        final = campaign.finish()
        electrode = _electrode(scan, final, level, elements)
        folder = getattr(campaign.results, "folder", None)
        if folder is not None:
            write_electrode(electrode, folder)
    return electrode


def write_electrode(electrode: Electrode, folder: Path) -> None:
    """Write what an electrode says at each level, and pymatgen's `InsertionElectrode` where it has one.

    Args:
        electrode: The electrode.
        folder: The results folder.
    """
    said = [electrode.at(level).as_dict() for level in electrode.levels]
    write_text(folder / ELECTRODE_FILE, json.dumps(said, indent=1))
    for level in electrode.levels:
        try:
            theirs = electrode.at(level).to_pymatgen()
        except InputError:  # such as an ion whose charge pymatgen takes for another
            continue
        write_text(folder / f"insertion_electrode_{level}.json", theirs.to_json())


def _electrode(scan: ElectrodeScan, final: list[Candidate], level: str, elements: dict[str, float]) -> Electrode:
    """Return the electrode of a scan at its last level at which both ends have energies."""
    electrode = Electrode(
        ion=scan.options.ion,
        framework=scan.of.formula,
        candidates=tuple(final),
        level=level,
        elements=elements,
        displacements=scan.displacements(final),
        host_volume=scan.of.host_volume,
        limit=scan.of.limit,
        asked=tuple(round(scan.of.ions_per_unit(content), 6) for content in scan.contents),
    )
    ends = electrode.contents[:1] + electrode.contents[-1:]
    last = [x for x in electrode.levels if x in elements and _ends(electrode.at(x)) == ends]
    return electrode.at(last[-1]) if last else electrode


def _ends(electrode: Electrode) -> tuple[float, ...]:
    return electrode.contents[:1] + electrode.contents[-1:]
