"""Tables of the orderings of a disordered crystal on the page: energies, relation to the average crystal, weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from chggen.campaign import ORDER_FILE
from chggen.report.page_table import PageRow, PageTable, number_text, read_said

_HEADS: Final = (
    ("above the lowest, meV/atom", "n"), ("E_d, eV/atom", "n"), ("space group (0.1 Å)", ""), ("cells", "n"),
    ("index", "n"), ("weight, %", "n"), ("displaced rms, Å", "n"), ("largest, Å", "n"), ("notes", ""), ("ordering", ""),
)  # fmt: skip


def read_order(folder: Path) -> dict[str, Any] | None:
    """Return what the orderings of a results folder say; None where it is not of `chggen order`, or has not ended.

    Args:
        folder: The results folder.

    Raises:
        InputError: The file is damaged.
    """
    said = read_said(folder / ORDER_FILE, orderings_table)
    return None if said is None else dict(said)


def orderings_table(said: dict[str, Any]) -> PageTable:
    """Return the table of what orderings say.

    Args:
        said: What they say, as `read_order` returns it.
    """
    parent = said["parent_symbol"] or "a crystal of unknown symmetry"
    return PageTable(
        title=f"Orderings of {parent}" + (f", level {said['level']}" if said["level"] else ""),
        heads=_HEADS,
        rows=[_row(ordering) for ordering in said["orderings"]],
        summary=order_sentences(said),
    )


def order_sentences(said: dict[str, Any]) -> list[str]:
    """Return what orderings say as a whole, in sentences.

    Args:
        said: What they say, as `read_order` returns it.
    """
    lines = [said["verdict"]]
    if said["spread"] is not None:
        lines.append(f"Energies of the {said['n_distinct']} found spread over {said['spread']:.1f} meV/atom.")
    if sum(ordering["weight"] is not None for ordering in said["orderings"]) > 1:
        lines.append(f"Weights are for blocks of {said['atoms']} atoms that order as a whole.")
    for own in said["sublattices"]:
        of_each = ", ".join(
            f"{species} {share:.3g} ({own['given'].get(species, 0.0):.3g} given)"
            for species, share in own["found"].items()
        )
        sites = "1 site" if own["sites"] == 1 else f"{own['sites']} sites"
        lines.append(f"By these weights {own.get('label') or 'a sublattice'} ({sites}) holds {of_each}.")
    return lines


def order_notes(ordering: dict[str, Any]) -> list[str]:
    """Return what is to be noted of an ordering, such as atoms that left their sites.

    Args:
        ordering: A row of `orderings` of what `read_order` returns.
    """
    own, notes = ordering["relation"], []
    if own is None:
        return ["its atoms do not fit the average sites"]
    if ordering["above"] is None:
        notes.append("of another composition")
    if own["off"]:
        notes.append(f"{own['off']} of its atoms on no average site of their own")
    if own["moved"]:
        notes.append(f"{own['moved']} of its atoms moved to another site")
    return notes


def index_text(relation: dict[str, Any]) -> str:
    """Return the index of an ordering's group and its parts, such as `8 = 4 × 2`.

    Args:
        relation: How the ordering relates to the average crystal, with an index.
    """
    return f"{relation['index']} = {relation['t']} × {relation['k']}"


def _row(ordering: dict[str, Any]) -> PageRow:
    own = ordering["relation"] or dict.fromkeys(("cells", "index", "t", "k", "rms", "largest"))
    weight = ordering["weight"]
    cells = (
        number_text(ordering["above"], 1), number_text(ordering["e_decomposition"], 3),
        f"{ordering['group']} ({ordering['space_group']})" if ordering["group"] else "",
        "" if own["cells"] is None else str(own["cells"]), "" if own["index"] is None else index_text(own),
        number_text(weight, 1, 100.0), number_text(own["rms"], 2), number_text(own["largest"], 2),
        "; ".join(order_notes(ordering)), ordering["id"],
    )  # fmt: skip
    return PageRow(cells=cells, link=ordering["id"], stable=weight is not None and weight > 0.5)
