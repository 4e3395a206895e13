"""Table of an interface on the page: energies per area, the layer between the crystals, and their reaction."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from chggen.campaign import INTERFACE_FILE
from chggen.report.page_table import PageRow, PageTable, number_text, read_said

_HEADS: Final = (
    ("interface energy, J/m²", "n"), ("work of adhesion, J/m²", "n"), ("of separation, J/m²", "n"),
    ("layer, Å", "n"), ("new bonds", ""), ("neighbours in the layer", ""), ("candidate", ""),
)  # fmt: skip


def table_of_interface(folder: Path) -> PageTable | None:
    """Return the table of the interface of a results folder; None where there is none, or the run has not ended.

    Args:
        folder: The results folder.

    Raises:
        InputError: The file is damaged.
    """
    said = read_said(folder / INTERFACE_FILE, interface_page)
    return None if said is None else interface_page(said)


def interface_page(said: dict[str, Any]) -> PageTable:
    """Return the table of what an interface says.

    Args:
        said: What it says, as `campaign.answer_of_interface` returns it.
    """
    rows = sorted(said["candidates"], key=lambda row: (row["interface_energy"] is None, row["interface_energy"]))
    return PageTable(
        title="Interface", heads=_HEADS, rows=[_row(row) for row in rows], summary=interface_sentences(said)
    )


def interface_sentences(said: dict[str, Any]) -> list[str]:
    """Return what an interface says as a whole, in sentences.

    Args:
        said: What it says, as `campaign.answer_of_interface` returns it.
    """
    low, high = said["gap"]
    reaction = said["reaction"]
    built = (
        f"{said['area']:.1f} Å², net strained by at most {100 * said['strain']:.1f} %, gap built from {low:.2f} to "
        f"{high:.2f} Å."
    )
    if isinstance(reaction, str):
        return [built, f"{reaction[0].upper()}{reaction[1:]}."]
    if not reaction["products"]:
        return [built, f"By the references at level {reaction['level']} the two crystals do not react."]
    return [
        built,
        f"Bulk reaction at level {reaction['level']}: {reaction['equation']}, {reaction['energy']:.3f} eV/atom at "
        f"{100 * reaction['share']:.0f} % of the atoms of the first crystal.",
        *(f"Made of static references: {name}." for name in reaction["products"] if "static" in name),
    ]


def bonds_text(row: dict[str, Any]) -> str:
    """Return the new bonds of a candidate, such as `8 P-O*`; those of products are marked.

    Args:
        row: A row of `candidates` of what `campaign.answer_of_interface` returns.
    """
    return ", ".join(
        f"{count} {label}{'*' if label in row['of_products'] else ''}"
        for label, count in row.get("new_bonds", {}).items()
    )


def neighbours_text(row: dict[str, Any]) -> str:
    """Return the mean numbers of neighbours in the layer, those in the crystals in brackets.

    Args:
        row: A row of `candidates` of what `campaign.answer_of_interface` returns.
    """
    parts = []
    for symbol, own in row.get("coordination", {}).items():
        bulk = [f"{sum(own[name].values()):.1f}" for name in ("first", "second") if own[name] is not None]
        parts.append(f"{symbol} {sum(own['layer'].values()):.1f}" + (f" ({', '.join(bulk)})" if bulk else ""))
    return ", ".join(parts)


def _row(row: dict[str, Any]) -> PageRow:
    energies = (number_text(row[key], 2) for key in ("interface_energy", "work_of_adhesion", "work_of_separation"))
    cells = (*energies, number_text(row.get("thickness"), 1), bonds_text(row), neighbours_text(row), row["id"])
    return PageRow(cells=cells, link=row["id"], stable=False)
