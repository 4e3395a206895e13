"""Figures of an electrode: its voltage curve, and the hull of mixing energies with all candidates."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Final

from chggen.report.drawing import write_figure
from chggen.report.electrode_table import contents_tables
from chggen.report.figure_files import COLORS, LEGEND_BELOW
from chggen.report.page_table import read_said
from chggen.stability import ELECTRODE_FILE

_HIDDEN: Final = "rgba(0,0,0,0)"
_SYMBOLS: Final = {False: "circle", True: "circle-open"}  # open: another framework than the host's
Said = dict[str, Any]


def read_electrode(folder: Path) -> list[Said] | None:
    """Return what the electrode of a results folder says, a table for each level; None where it is no electrode's.

    Args:
        folder: The results folder.

    Raises:
        InputError: The file is damaged.
    """
    said = read_said(folder / ELECTRODE_FILE, _check)
    return None if said is None else list(said)


def _check(said: list[Said]) -> None:
    """Go through all that tables and figures take, which raises where something is missing."""
    contents_tables(said)
    for at in said:
        electrode_curve(at["steps"])
        for point in at["candidates"]:
            _ = point["id"], point["changed"], point["mixing_energy"]


def save_electrode(said: list[Said], path: Path) -> None:
    """Write voltage curve and mixing energies to a file.

    Args:
        said: What the electrode says, a table for each level.
        path: File to write: `.html` for an interactive page, `.png`, `.svg` or `.pdf` for print.

    Raises:
        InputError: The name has another ending, or the folder cannot be written to.
    """
    write_figure(path, partial(interactive_electrode, said), partial(_printed, said))


def interactive_electrode(said: list[Said]) -> Any:
    """Return voltage curve and mixing energies as a plotly figure.

    Each candidate is a point. It tells its name under the pointer, and keeps it once it is clicked.

    Args:
        said: What the electrode says, a table for each level.
    """
    from plotly.subplots import make_subplots

    figure = make_subplots(cols=2, horizontal_spacing=0.12)
    for at, color in zip(said, COLORS, strict=False):
        steps, rows, points = at["steps"], at["contents"], at["candidates"]
        x, y = electrode_curve(steps)
        figure.add_scatter(x=x, y=y, mode="lines", line={"color": color}, name=at["level"], row=1, col=1)
        hull = [row for row in rows if row["above_hull"] is not None and row["above_hull"] < 1e-9]
        figure.add_scatter(
            x=[row["content"] for row in hull], y=[1000 * row["mixing_energy"] for row in hull], mode="lines",
            line={"color": color}, hoverinfo="skip", showlegend=False, row=1, col=2,
        )  # fmt: skip
        symbols = [_SYMBOLS[p["changed"]] for p in points]
        figure.add_scatter(
            x=[p["content"] for p in points], y=[1000 * p["mixing_energy"] for p in points], mode="markers+text",
            marker={"color": color, "size": 8, "opacity": 0.7, "symbol": symbols}, text=[p["id"] for p in points],
            textposition="top center", textfont={"color": _HIDDEN}, customdata=[p["id"] for p in points],
            selected={"textfont": {"color": color}}, unselected={"textfont": {"color": _HIDDEN}},
            hoverinfo="text+y", showlegend=False, row=1, col=2,
        )  # fmt: skip
    ion, framework = said[0]["ion"], said[0]["framework"]
    figure.update_xaxes(title=f"{ion} per {framework}")
    figure.update_yaxes(title=f"voltage against {ion}, V", row=1, col=1)
    figure.update_yaxes(title=f"mixing energy, meV per {framework}", row=1, col=2)
    figure.update_layout(template="plotly_white", height=420, title=f"{ion} in {framework}", clickmode="event+select")
    figure.update_layout(legend=LEGEND_BELOW, margin={"t": 60, "b": 110})
    return figure


def _printed(said: list[Said]) -> Any:
    """Return voltage curve and mixing energies as a matplotlib figure."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for at, color in zip(said, COLORS, strict=False):
        x, y = electrode_curve(at["steps"])
        left.plot(x, y, color=color, label=at["level"])
        hull = [row for row in at["contents"] if row["above_hull"] is not None and row["above_hull"] < 1e-9]
        right.plot([r["content"] for r in hull], [1000 * r["mixing_energy"] for r in hull], color=color)
        for changed in (False, True):
            points = [p for p in at["candidates"] if p["changed"] == changed]
            right.scatter(
                [p["content"] for p in points], [1000 * p["mixing_energy"] for p in points], s=18, alpha=0.7,
                edgecolors=color, facecolors="none" if changed else color,
            )  # fmt: skip
    ion, framework = said[0]["ion"], said[0]["framework"]
    for axes in (left, right):
        axes.set_xlabel(f"{ion} per {framework}")
    left.set_ylabel(f"voltage against {ion}, V")
    right.set_ylabel(f"mixing energy, meV per {framework}")
    left.legend(title="level", frameon=False)
    return figure


def electrode_curve(steps: list[Said]) -> tuple[list[float], list[float]]:
    """Return contents and voltages of the corners of a voltage curve.

    Args:
        steps: The voltage steps that an electrode says at a level.
    """
    x = [content for step in steps for content in (step["low"], step["high"])]
    return x, [step["voltage"] for step in steps for _ in range(2)]
