"""Figures of what structures are like inside, beside another set where there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from chggen.analysis import StructureAnalysis
from chggen.report.figure_files import COLORS, GREY, PaperFigure, save_figure

_MOST: Final = 6  # pairs in one figure
_THIS, _OTHER = "these", "against"


def save_analysis_figures(analysis: StructureAnalysis, folder: Path) -> list[Path]:
    """Write figures of an analysis as SVG and PDF, with their data as CSV, in the style of those for papers.

    They are: `distances` of the pairs with the shortest first peaks, `coordination` of the elements, `angles` and
    `structure-factor`. The other set, where there is one, is drawn dashed or grey.

    Args:
        analysis: The analysis.
        folder: Folder for the files, made where it does not exist.

    Returns:
        The paths of the files.

    Raises:
        InputError: The folder cannot be written to.
    """
    sets = {_THIS: analysis} if analysis.against is None else {_THIS: analysis, _OTHER: analysis.against}
    figures = (_distances(sets), _coordination(sets), _angles(sets), _structure_factor(sets))
    return [path for figure in figures for path in save_figure(figure, folder)]


def _distances(sets: Mapping[str, StructureAnalysis]) -> PaperFigure:
    pairs = sorted(sets[_THIS].pairs.items(), key=lambda item: np.nan_to_num(item[1].first_peak, nan=np.inf))[:_MOST]
    r = pairs[0][1].r
    lines = {
        (pair, name): one.pairs[pair].g for pair, _ in pairs for name, one in sets.items() if pair in one.pairs
    }  # fmt: skip
    return _curves("distances", r, lines, "distance, Å", "g(r)")


def _angles(sets: Mapping[str, StructureAnalysis]) -> PaperFigure:
    lines = {
        (symbol, name): one.environments[symbol].angles
        for symbol in sets[_THIS].environments
        for name, one in sets.items()
        if symbol in one.environments
    }
    points = len(next(iter(lines.values())))
    middle = (np.arange(points) + 0.5) * 180 / points
    return _curves("angles", middle, lines, "angle at an atom, degrees", "share of the angles")


def _structure_factor(sets: Mapping[str, StructureAnalysis]) -> PaperFigure:
    lines = {("S(q)", name): one.order.intensity for name, one in sets.items()}
    return _curves("structure-factor", sets[_THIS].order.q, lines, "q, 1/Å", "S(q)")


def _curves(name: str, x: np.ndarray, lines: Mapping[tuple[str, str], np.ndarray], along: str, up: str) -> PaperFigure:
    """Return a figure of lines, each named by what it is of and by its set."""

    def draw(axes: Any) -> None:
        shown = list(dict.fromkeys(of for of, _ in lines))
        for (of, which), y in lines.items():
            style = "-" if which == _THIS else ":"
            label = of if which == _THIS else f"{of}, {which}"
            axes.plot(x, y, style, color=COLORS[shown.index(of) % len(COLORS)], label=label)
        axes.set_xlabel(along)
        axes.set_ylabel(up)

    columns = (along, *(f"{of} {which}" for of, which in lines))
    rows = tuple(zip(*(np.round(values, 5).tolist() for values in (x, *lines.values())), strict=True))
    return PaperFigure(name=name, draw=draw, columns=columns, rows=rows)


def _coordination(sets: Mapping[str, StructureAnalysis]) -> PaperFigure:
    rows = tuple(
        (symbol, name, number, round(share, 5))
        for symbol in sets[_THIS].environments
        for name, one in sets.items()
        if symbol in one.environments
        for number, share in one.environments[symbol].numbers.items()
    )
    columns = ("element", "set", "coordination_number", "share")
    return PaperFigure(name="coordination", draw=partial(_draw_coordination, rows), columns=columns, rows=rows)


def _draw_coordination(rows: Sequence[tuple[str, str, str, float]], axes: Any) -> None:
    elements = list(dict.fromkeys(row[0] for row in rows))
    bars = list(dict.fromkeys(row[:2] for row in rows))
    width = 0.8 / len(bars)
    for k, (element, which) in enumerate(bars):
        own = [row for row in rows if row[:2] == (element, which)]
        color = COLORS[elements.index(element) % len(COLORS)]
        axes.bar(
            [int(row[2]) + (k - (len(bars) - 1) / 2) * width for row in own], [100 * row[3] for row in own], width,
            color=color if which == _THIS else "white", edgecolor=color if which == _THIS else GREY,
            hatch=None if which == _THIS else "////", label=element if which == _THIS else f"{element}, {which}",
        )  # fmt: skip
    axes.set_xlabel("coordination number")
    axes.set_ylabel("% of the atoms")
