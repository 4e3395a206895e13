"""Drawing phase diagrams: interactive plotly figures, and files for print."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any, Final

from chggen.errors import InputError
from chggen.io import whole, writable_folder
from chggen.report.figure_files import COLORS, GREY, LEGEND_BELOW
from chggen.report.phase_diagram import ON_HULL, Mark, PhaseDiagramPicture, Tie
from chggen.results import subscripts

_STABLE: Final = COLORS[0]
_CANDIDATE: Final = COLORS[1]
_ABOVE: Final = GREY
_FORMATS: Final = (".png", ".svg", ".pdf")
_ALIGNED: Final = {"left": "right", "right": "left", "center": "center", "top": "bottom", "bottom": "top"}
_FORMATION: Final = "formation energy, eV/atom"
_SIZE: Final = 9  # of a mark, pixels
_LETTERS: Final = 10  # height of the labels, pixels, as large as their placing expects
_SOLID_SIZE: Final = 5  # in space
_PARALLEL: Final = {"type": "orthographic"}
_LARGER: Final = 1.8  # of a diagram in space, than plotly draws it: that fills the height of the figure
_LABEL_GAP: Final = 7  # points, between a printed label and its mark


def save(picture: PhaseDiagramPicture, path: Path) -> None:
    """Write a phase diagram to a file.

    The file appears whole or not at all. Its folder is made if it does not exist.

    Args:
        picture: The phase diagram.
        path: File to write. The ending chooses the format: `.html` for an interactive page that shows energies under
            the pointer, `.png`, `.svg` or `.pdf` for print.

    Raises:
        InputError: The name has another ending, or the folder cannot be written to.
    """
    write_figure(path, partial(interactive, picture), partial(_printed, picture))


def write_figure(path: Path, interactive: Callable[[], Any], printed: Callable[[], Any]) -> None:
    """Write a figure to a file, which appears whole or not at all. Its folder is made if it does not exist.

    Args:
        path: File to write; its ending chooses the format, as `save` says.
        interactive: Called for the plotly figure of a page.
        printed: Called for the matplotlib figure of a print.

    Raises:
        InputError: The name has another ending, or the folder cannot be written to.
    """
    if path.suffix not in (".html", *_FORMATS):
        raise InputError(f"cannot draw {path.name}; expected a name that ends with .html, {', '.join(_FORMATS)}")
    writable_folder(path.parent)
    with whole(path) as temporary:
        if path.suffix == ".html":
            temporary.write_text(interactive().to_html(include_plotlyjs=True))
        else:
            printed().savefig(temporary, dpi=200)


def interactive(picture: PhaseDiagramPicture) -> Any:
    """Return a phase diagram as a plotly figure that shows energies under the pointer.

    Args:
        picture: The phase diagram.

    Returns:
        A `plotly.graph_objects.Figure`.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    solid = len(picture.elements) == 4
    ends = [end for line in _lines(picture) for end in (*line, (None, None, None))]
    _add(
        figure,
        ends,
        solid,
        mode="lines",
        line={"color": _STABLE, "width": 1},
        opacity=0.5 if solid else 1.0,
        hoverinfo="skip",
        showlegend=False,
    )
    for name, color, symbol, marks in _groups(picture):
        _add(
            figure,
            [(m.x, m.y, m.depth) for m in marks],
            solid,
            name=name,
            mode="markers+text",
            text=[m.name + m.note if m.side else "" for m in marks],
            textposition=[m.side or "bottom center" for m in marks],
            textfont={"size": _LETTERS},
            hovertext=[m.text for m in marks],
            hoverinfo="text",
            customdata=[m.id for m in marks],
            marker={
                "color": color,
                "symbol": symbol,
                "size": _SOLID_SIZE if solid else _SIZE,
                "line": {"width": 1, "color": "white"},
            },
        )
    figure.update_layout(
        template="plotly_white",
        height=580,
        title=picture.title,
        margin={"l": 20 if picture.corners else 60, "r": 20, "t": 60, "b": 70 if picture.corners else 110},
        legend=LEGEND_BELOW,
    )
    if solid:
        hidden = {f"{axis}axis": {"visible": False} for axis in "xyz"}
        camera = {"eye": {"x": 0, "y": 0, "z": 2}, "up": {"x": 0, "y": 1, "z": 0}, "projection": _PARALLEL}
        sizes = zip("xyz", zip(*picture.corners, strict=True), strict=True)
        ratio = {axis: _LARGER * (max(places) - min(places)) for axis, places in sizes}
        figure.update_scenes(**hidden, aspectmode="manual", aspectratio=ratio, camera=camera)
    elif picture.corners:
        figure.update_xaxes(visible=False, range=[-0.12, 1.12])
        figure.update_yaxes(visible=False, scaleanchor="x")
    else:
        figure.update_xaxes(title=f"atom fraction of {picture.elements[1]}", range=[-0.06, 1.06])
        figure.update_yaxes(title=_FORMATION)
    return figure


def _add(figure: Any, places: Sequence[tuple[float | None, ...]], solid: bool, **more: Any) -> None:
    """Add points or lines at places to a plotly figure, in space or in the plane."""
    x, y, depth = zip(*places, strict=True)
    if solid:
        figure.add_scatter3d(x=x, y=y, z=depth, **more)
    else:
        figure.add_scatter(x=x, y=y, **more)


def _printed(picture: PhaseDiagramPicture) -> Any:
    """Return a phase diagram as a matplotlib figure."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 6), layout="constrained")
    axes = figure.add_subplot()
    print_phase_diagram(picture, axes, size=9.0)
    axes.set_title(picture.title)
    axes.legend(frameon=False, fontsize=9)
    return figure


def print_phase_diagram(picture: PhaseDiagramPicture, axes: Any, size: float = 6.0) -> None:
    """Draw a phase diagram into matplotlib axes, the labels of candidates before those of known phases.

    Args:
        picture: The phase diagram.
        axes: The axes.
        size: Size of the labels, points. Marks are as large as befits them.
    """
    width = 0.3 if len(picture.elements) == 4 else 0.8  # points; those of a quaternary are many
    for one, two in _lines(picture):
        axes.plot([one[0], two[0]], [one[1], two[1]], color=_STABLE, linewidth=width, zorder=1)
    for name, color, symbol, marks in _groups(picture):
        shape = {"circle": "o", "diamond": "D"}[symbol]
        area = 28 * (size / 9) ** 2
        axes.scatter([m.x for m in marks], [m.y for m in marks], c=color, marker=shape, s=area, label=name, zorder=2)
    for mark in sorted(picture.marks, key=lambda mark: mark.kind):
        if mark.side:
            _print_label(axes, mark, size)
    axes.margins(0.1)
    if picture.corners:
        axes.set_aspect("equal")
        axes.set_axis_off()
    else:
        axes.set_xlabel(f"atom fraction of {picture.elements[1]}")
        axes.set_ylabel(_FORMATION)


def _print_label(axes: Any, mark: Mark, size: float) -> None:
    """Write the label of a mark on its side of the point."""
    vertical, horizontal = mark.side.split()
    right, up = {"left": -1, "right": 1}.get(horizontal, 0), {"bottom": -1, "top": 1}.get(vertical, 0)
    axes.annotate(
        subscripts(mark.name) + mark.note,
        (mark.x, mark.y),
        (_LABEL_GAP * size / 9 * right, _LABEL_GAP * size / 9 * up),
        textcoords="offset points",
        fontsize=size,
        ha=_ALIGNED[horizontal],
        va=_ALIGNED.get(vertical, "center"),
        zorder=3,
    )


def _lines(picture: PhaseDiagramPicture) -> list[Tie]:
    """Return the tie lines and, but for a binary, the edges between the elements."""
    return [*picture.lines, *combinations(picture.corners, 2)]


def _groups(picture: PhaseDiagramPicture) -> list[tuple[str, str, str, list[Mark]]]:
    """Return name, colour, symbol and marks of each kind of phase that the diagram has."""
    known = [m for m in picture.marks if m.kind == "known"]
    groups = [
        ("known, above the hull", _ABOVE, "circle", [m for m in known if m.e_hull > ON_HULL]),
        ("known, stable", _STABLE, "circle", [m for m in known if m.e_hull <= ON_HULL]),
        ("candidate", _CANDIDATE, "diamond", [m for m in picture.marks if m.kind == "candidate"]),
    ]
    return [group for group in groups if group[3]]
