"""Tables of the orderings of a disordered crystal on the page: energies, relation to the average crystal, weights."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from chggen.campaign import ORDER_FILE
from chggen.errors import InputError

_HEADS: Final = (
    ("above the lowest, meV/atom", "n"), ("E_d, eV/atom", "n"), ("space group (0.1 Å)", ""), ("cells", "n"),
    ("index", "n"), ("weight, %", "n"), ("displaced rms, Å", "n"), ("largest, Å", "n"), ("notes", ""), ("ordering", ""),
)  # fmt: skip


@dataclass(frozen=True)
class OrderingRow:
    """A row of the table of orderings.

    Attributes:
        cells: A text for each column.
        link: Id of the candidate that the last cell leads to.
        stable: Whether most of the weight is its own.
        anchor: Nothing leads to such a row.
    """

    cells: tuple[str, ...]
    link: str
    stable: bool
    anchor: str = ""


@dataclass(frozen=True)
class OrderingsTable:
    """The orderings of a disordered crystal.

    Attributes:
        title: What it is of.
        heads: Names of the columns, and `n` for those of numbers.
        rows: The rows, the lowest ordering first.
        summary: Verdict, spread and occupancies, in sentences.
    """

    title: str
    heads: tuple[tuple[str, str], ...]
    rows: list[OrderingRow]
    summary: list[str]


def read_order(folder: Path) -> dict[str, Any] | None:
    """Return what the orderings of a results folder say; None where it is not of `chggen order`, or has not ended.

    Args:
        folder: The results folder.

    Raises:
        InputError: The file is damaged.
    """
    path = folder / ORDER_FILE
    if not path.exists():
        return None
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        orderings_table(said)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{path} is damaged; repeat the command of this folder, which writes it anew") from None
    return dict(said)


def orderings_table(said: dict[str, Any]) -> OrderingsTable:
    """Return the table of what orderings say.

    Args:
        said: What they say, as `read_order` returns it.
    """
    parent = said["parent_symbol"] or "a crystal of unknown symmetry"
    return OrderingsTable(
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
        lines.append(f"By these weights a sublattice of {sites} holds {of_each}.")
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


def _row(ordering: dict[str, Any]) -> OrderingRow:
    own = ordering["relation"] or dict.fromkeys(("cells", "index", "t", "k", "rms", "largest"))
    weight = ordering["weight"]
    cells = (
        _number(ordering["above"], 1), _number(ordering["e_decomposition"], 3),
        f"{ordering['group']} ({ordering['space_group']})" if ordering["group"] else "",
        "" if own["cells"] is None else str(own["cells"]), "" if own["index"] is None else index_text(own),
        _number(weight, 1, 100.0), _number(own["rms"], 2), _number(own["largest"], 2), "; ".join(order_notes(ordering)),
        ordering["id"],
    )  # fmt: skip
    return OrderingRow(cells=cells, link=ordering["id"], stable=weight is not None and weight > 0.5)


def _number(value: float | None, digits: int, scale: float = 1.0) -> str:
    return "" if value is None else f"{round(scale * value, digits) + 0.0:.{digits}f}"  # no -0.0
