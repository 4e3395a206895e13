"""What `chggen order` shows below its table: how the orderings relate to the average crystal, and their weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

_MOST: Final = 20  # orderings that are shown


def order_lines(said: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that say what the orderings say.

    Args:
        said: What they say, as `report.read_order` returns it.
    """
    from chggen.report import index_text, order_notes, order_sentences

    parent = said["parent_symbol"] or "a crystal of unknown symmetry"
    yield (
        f"orderings of {parent}, level {said['level']}: energy above the lowest, group on the average sites, "
        f"supercell, index (point operations × translations), weight at {said['temperature']:g} K"
    )
    for ordering in said["orderings"][:_MOST]:
        own, above, weight = ordering["relation"], ordering["above"], ordering["weight"]
        parts = [
            " " * 14 if above is None else f"{above:8.1f} meV/atom",
            f"{ordering['group_on_sites'] or '?':8}",
            "" if own is None else f"{own['cells']} cell{'s' * (own['cells'] != 1)}",
            "" if own is None or own["index"] is None else f"index {index_text(own)}",
            "" if weight is None else f"{100 * weight:5.1f} %",
            "" if own is None else f"displaced {own['rms']:.2f} Å rms, {own['largest']:.2f} at most",
            ordering["id"],
        ]
        notes = "; ".join(order_notes(ordering))
        yield "  " + "  ".join(part for part in parts if part) + (f"  ({notes})" if notes else "")
    if len(said["orderings"]) > _MOST:
        yield f"  and {len(said['orderings']) - _MOST} more, in order.json"
    yield from order_sentences(said)
