"""What `chggen analyze` prints: distances and environments of atoms, and how far order reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from chggen.errors import counted

if TYPE_CHECKING:
    from chggen.analysis import StructureAnalysis

_ORDER: Final = {
    "strongest": "atoms in phase in the strongest reflection",
    "half": "reflections that hold half of the intensity",
    "independent": "atoms that no symmetry makes from others",
}
_LEAST: Final = 0.05  # share of the atoms, from which a coordination number is named


def analysis_lines(analysis: StructureAnalysis) -> list[str]:
    """Return tables of an analysis, and the numbers of its long-range order.

    Args:
        analysis: The analysis.
    """
    beside = analysis.against
    head = counted(analysis.n_structures, "structure")
    if beside is not None:
        head += f", compared with {counted(beside.n_structures, 'other')}"
    return [
        head,
        "",
        *_pairs(analysis),
        "",
        *_elements(analysis),
        "",
        *_order([analysis, *([beside] if beside else [])]),
    ]


def _order(analyses: Sequence[StructureAnalysis]) -> list[str]:
    """Return a table of the long-range order, a column for each set."""
    heads = ("these", "others")
    lines = [f"{'order, %':44}" + "".join(f"{head:>8}" for head in heads[: len(analyses)])]
    for name, text in _ORDER.items():
        lines.append(f"{text:44}" + "".join(f"{100 * one.order_row()[name]:8.1f}" for one in analyses))
    return lines


def _pairs(analysis: StructureAnalysis) -> list[str]:
    compared = analysis.against is not None
    lines = ["pair     shortest  first peak  height" + ("  overlap" if compared else ""),
             "                Å           Å        "]  # fmt: skip
    for row in analysis.pair_rows():
        line = f"{row['pair']:7}  {_number(row['shortest'])}    {_number(row['first_peak'])}  {row['height']:6.1f}"
        lines.append(line + (f"  {_percent(row['overlap'])}" if compared else ""))
    return [line.rstrip() for line in lines]


def _elements(analysis: StructureAnalysis) -> list[str]:
    compared = analysis.against is not None
    lines = ["element   atoms  neighbours" + ("  overlap  of angles" if compared else "") + "  polyhedra, %"]
    for row in analysis.environment_rows():
        told = f"{row['element']:7}  {row['atoms']:6}  {row['mean_number']:10.1f}"
        if compared:
            told += f"  {_percent(row['overlap'])}  {_percent(row['angle_overlap']):>9}"
        lines.append(f"{told}  {_shares(row['polyhedra'])}")
    return lines


def _shares(shares: Mapping[str, float]) -> str:
    named = sorted((item for item in shares.items() if item[1] >= _LEAST), key=lambda item: -item[1])
    return ", ".join(f"{name} {100 * share:.0f}" for name, share in named)


def analysis_rows(analysis: StructureAnalysis) -> list[dict[str, Any]]:
    """Return all rows of an analysis for other programs: of pairs, then of elements.

    Args:
        analysis: The analysis.
    """
    return [*analysis.pair_rows(), *analysis.environment_rows()]


def _number(value: float | None) -> str:
    return f"{'–' if value is None else f'{value:.2f}':>8}"


def _percent(share: float | None) -> str:
    return f"{'–' if share is None else f'{100 * share:.0f} %':>7}"
