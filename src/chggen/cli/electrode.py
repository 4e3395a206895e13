"""What `chggen electrode` shows of an electrode: contents, voltage steps, capacity, at each level."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chggen.stability import Electrode


def electrode_lines(electrode: Electrode) -> Iterator[str]:
    """Yield the lines that say what was found, level by level.

    Args:
        electrode: The electrode.
    """
    yield f"{electrode.ion} in {electrode.framework}; fullest content limited by: {electrode.limit}"
    for level in electrode.levels:
        yield from _at_level(electrode.at(level))
    if not electrode.levels:
        why = next((f", such as {c.id}: {c.reason}" for c in electrode.candidates if c.reason), "")
        yield f"no voltage: fewer than two contents have energies; reasons stand in summary.csv{why}"


def _at_level(electrode: Electrode) -> Iterator[str]:
    ion = electrode.ion
    yield ""
    yield f"level {electrode.level}: content, mixing energy, height above the hull, volume, per unit of framework"
    for row in electrode.table():
        notes = []
        if row.topotactic is False:
            left_out = "" if row.above_hull is not None else ", left out"
            notes.append(f"the framework changed{left_out}")
        elif row.n_changed:
            notes.append(f"{row.n_changed} with another framework left out")
        if row.within_error:
            notes.append("on the hull by less than the error of the potential")
        said = f"  ({'; '.join(notes)})" if notes else ""
        e_d = "" if row.e_decomposition is None else f", E_d {round(row.e_decomposition, 3) + 0.0:+.3f} eV/atom"
        above = " " * 17 if row.above_hull is None else f", {1000 * row.above_hull:7.1f} above"
        yield (
            f"  {row.content:6.3f}  {1000 * row.mixing_energy:+8.1f} meV{above}, "
            f"{row.volume:.1f} Å³{e_d}, {row.best}{said}"
        )
    for content in electrode.missing:
        yield f"  {content:6.3f}  no candidate; reasons stand in summary.csv"
    if electrode.level not in electrode.elements:
        yield f"  no voltage: the references have no energy of {ion} at this level"
        return
    for step in electrode.steps:
        yield f"  {step.low:.4g} to {step.high:.4g}: {step.voltage:.2f} V"
    yield (
        f"  average {electrode.average_voltage:.2f} V against {ion} (off by about {electrode.voltage_error:.2f} V if "
        "energies of both ends are off by 0.03 eV/atom)"
    )
    yield (
        f"  {electrode.capacity:.0f} mAh/g, {electrode.volumetric_capacity:.0f} mAh/cm³, "
        f"{electrode.specific_energy:.0f} Wh/kg, {electrode.energy_density:.0f} Wh/l, volume "
        f"{100 * electrode.volume_change:+.1f} % from empty to full"
    )
