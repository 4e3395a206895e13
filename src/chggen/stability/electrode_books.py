"""What an electrode says, for others: pymatgen's `InsertionElectrode`, and plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chggen.errors import InputError

if TYPE_CHECKING:
    from pymatgen.apps.battery.insertion_battery import InsertionElectrode

    from chggen.stability.electrode import Electrode


def insertion_electrode(electrode: Electrode) -> InsertionElectrode:
    """Return pymatgen's `InsertionElectrode`, with a `ComputedStructureEntry` for each candidate that counts.

    Args:
        electrode: The electrode, at the level of the energies.

    Raises:
        InputError: pymatgen takes another charge for the ion, as for Cl; or there is no voltage.
    """
    from pymatgen.apps.battery.insertion_battery import InsertionElectrode
    from pymatgen.core import Element
    from pymatgen.entries.computed_entries import ComputedEntry, ComputedStructureEntry

    theirs = abs(max(Element(electrode.ion).oxidation_states))
    if theirs != electrode.valence:
        raise InputError(
            f"pymatgen divides voltages of {electrode.ion} by {theirs}, not by its charge {electrode.valence}; use the "
            "electrode's own table and steps instead"
        )
    electrode.check_ends()
    entries = [
        ComputedStructureEntry(c.structure, c.energies[electrode.level] * len(c.structure), entry_id=c.id)
        for c in electrode.counted
        if c.structure is not None
    ]
    return InsertionElectrode.from_entries(entries, ComputedEntry(electrode.ion, electrode.element_energy))


def plain_data(electrode: Electrode) -> dict[str, Any]:
    """Return what an electrode says at its level as plain data.

    Args:
        electrode: The electrode.

    Returns:
        Ion, framework, level, limit, voltages, capacities, a row for each content, and of every candidate with an
        energy its id, content and mixing energy, eV per formula unit. Voltages and energies by mass and volume are
        None where the references have no energy of the ion's element.
    """
    known = electrode.level in electrode.elements
    return {
        "ion": electrode.ion,
        "framework": electrode.framework,
        "level": electrode.level,
        "limit": electrode.limit,
        "missing": list(electrode.missing),
        "average_voltage": electrode.average_voltage if known else None,
        "steps": [vars(step) for step in electrode.steps] if known else [],
        "voltage_error": electrode.voltage_error,
        "capacity_mah_per_g": electrode.capacity,
        "capacity_mah_per_cm3": electrode.volumetric_capacity,
        "specific_energy_wh_per_kg": electrode.specific_energy if known else None,
        "energy_density_wh_per_l": electrode.energy_density if known else None,
        "volume_change": electrode.volume_change,
        "contents": [vars(row) for row in electrode.table()],
        "candidates": [
            {
                "id": c.id,
                "content": electrode.content_of(c),
                "mixing_energy": electrode.mixing_energy(c),
                "changed": electrode.is_changed(c),
            }
            for c in electrode.placed
        ],
    }
