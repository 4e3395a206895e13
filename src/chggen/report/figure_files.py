"""Figures for papers as files: one style for all, SVG and PDF, with the data as CSV beside."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from chggen.io import whole, writable_folder, write_text

WIDTH: Final = 3.4  # inches, a column of most journals
HEIGHT: Final = 2.6  # inches
COLORS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Colours that colour-blind readers tell apart (Okabe and Ito), in the order in which they are used."""
GREY: Final = "#777777"
LEGEND_BELOW: Final = {"orientation": "h", "x": 0, "y": 0, "yref": "container", "yanchor": "bottom"}
"""Where interactive figures have their legend: below all, where the lines of a narrow window cover nothing."""
STYLE: Final[Any] = {
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.0,
    "lines.markersize": 4,
    "svg.hashsalt": "chggen",  # so that the same figure is the same file
    "pdf.fonttype": 42,  # text that can be edited
}
_ENDINGS: Final = (".svg", ".pdf")


@dataclass(frozen=True, kw_only=True)
class PaperFigure:
    """A figure and its data.

    Attributes:
        name: Name of its files.
        draw: Draws into matplotlib axes, in `STYLE`.
        columns: Names of the columns of its data.
        rows: Its data.
    """

    name: str
    draw: Callable[[Any], None]
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def save_figure(figure: PaperFigure, folder: Path) -> list[Path]:
    """Write a figure as SVG and PDF, and its data as CSV. Each file appears whole or not at all.

    A label that would overlap one that was drawn before it is left out. The legend stands below the axes.

    Args:
        figure: The figure.
        folder: Folder for the files, made where it does not exist.

    Returns:
        The paths of the files.

    Raises:
        InputError: The folder cannot be written to.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    writable_folder(folder)
    paths = [folder / f"{figure.name}{ending}" for ending in (*_ENDINGS, ".csv")]
    with mpl.rc_context(STYLE):
        drawn = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        axes = drawn.add_subplot()
        figure.draw(axes)
        handles, labels = axes.get_legend_handles_labels()
        if len(labels) > 1:
            drawn.legend(handles, labels, loc="outside lower center", ncols=min(3, len(labels)))
        drawn.draw_without_rendering()
        without_overlaps(axes.texts)
        for path in paths[: len(_ENDINGS)]:
            stamp = {"Date": None} if path.suffix == ".svg" else {"CreationDate": None}
            with whole(path) as temporary:
                drawn.savefig(temporary, metadata=stamp)
    write_text(paths[-1], _csv(figure.columns, figure.rows))
    return paths


def without_overlaps(texts: Sequence[Any]) -> None:
    """Remove each text of a drawn figure that overlaps an earlier one that is left.

    Args:
        texts: Texts of matplotlib axes, the most important first.
    """
    kept: list[Any] = []
    for text in list(texts):
        box = text.get_window_extent()
        if any(box.overlaps(other) for other in kept):
            text.remove()
        else:
            kept.append(box)


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return buffer.getvalue()
