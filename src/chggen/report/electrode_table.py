"""Tables of an electrode on the page: a row for each content, and what follows from them, level by level."""

from __future__ import annotations

from typing import Any, Final

from chggen.report.page_table import PageRow, PageTable, number_text

_HEADS: Final = (
    ("content", "n"), ("mixing energy, meV", "n"), ("above the hull, meV", "n"), ("E_d, eV/atom", "n"),
    ("volume, Å³", "n"), ("framework moved, Å", "n"), ("candidates", "n"), ("notes", ""), ("best", ""),
)  # fmt: skip


def contents_tables(said: list[dict[str, Any]]) -> list[PageTable]:
    """Return the table of each level.

    Args:
        said: What the electrode says, as `read_electrode` returns it.
    """
    return [
        PageTable(
            title=f"{at['ion']} in {at['framework']}, level {at['level']}",
            heads=_HEADS,
            rows=[_row(content) for content in at["contents"]],
            summary=_summary(at),
        )
        for at in said
    ]


def _row(content: dict[str, Any]) -> PageRow:
    notes = []
    if content["topotactic"] is False:
        notes.append("the framework changed" + ("" if content["above_hull"] is not None else "; left out"))
    elif content["n_changed"]:
        notes.append(f"{content['n_changed']} with another framework left out")
    if content["within_error"]:
        notes.append("on the hull by less than the error of the potential")
    numbers = (
        f"{content['content']:.4g}", f"{1000 * content['mixing_energy']:.1f}",
        number_text(content["above_hull"], 1, 1000.0), number_text(content["e_decomposition"], 3),
        f"{content['volume']:.1f}", number_text(content["framework_rms"], 2), str(content["n_candidates"]),
    )  # fmt: skip
    on_hull = content["above_hull"] is not None and content["above_hull"] < 1e-9
    return PageRow(cells=(*numbers, "; ".join(notes), content["best"]), link=content["best"], stable=on_hull)


def _summary(at: dict[str, Any]) -> list[str]:
    lines = [f"Fullest content limited by: {at['limit']}."] if at["limit"] else []
    if at["missing"]:
        lines.append(f"No candidate of content {', '.join(f'{x:.4g}' for x in at['missing'])}; see the failed ones.")
    if at["average_voltage"] is None:
        return [*lines, f"No voltage: the references have no energy of {at['ion']} at this level."]
    steps = ", ".join(f"{step['voltage']:.2f} V from {step['low']:.4g} to {step['high']:.4g}" for step in at["steps"])
    return [
        *lines,
        f"Voltage against {at['ion']}: {at['average_voltage']:.2f} V on average, off by about "
        f"{at['voltage_error']:.2f} V if energies of both ends are off by 0.03 eV/atom; {steps}.",
        f"{at['capacity_mah_per_g']:.0f} mAh/g, {at['capacity_mah_per_cm3']:.0f} mAh/cm³, "
        f"{at['specific_energy_wh_per_kg']:.0f} Wh/kg, {at['energy_density_wh_per_l']:.0f} Wh/l; volume "
        f"{100 * at['volume_change']:+.1f} % from empty to full.",
    ]
