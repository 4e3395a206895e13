"""A measured powder pattern on the page: which candidates agree with it, and how it looks beside the best."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from chggen.powder import MATCH_FILE
from chggen.report.figure_files import COLORS, GREY, LEGEND_BELOW
from chggen.report.page_table import PageRow, PageTable, number_text, read_said

_MOST_ROWS: Final = 10
_BELOW: Final = 60  # % of the highest intensity, between a pattern and the next one below
_HEADS: Final = (
    ("agreement", "n"), ("R_wp, %", "n"), ("volume ×", "n"), ("zero, °", "n"), ("width, °", "n"), ("candidate", ""),
)  # fmt: skip


def read_match(folder: Path) -> dict[str, Any] | None:
    """Return what a folder holds of a match with a powder pattern; None where there is none.

    Args:
        folder: The results folder.

    Raises:
        InputError: The file is damaged.
    """
    said = read_said(folder / MATCH_FILE, _check)
    return None if said is None else dict(said)


def _check(said: Mapping[str, Any]) -> None:
    """Go through all that table and figures take, which raises where something is missing."""
    match_table(said)
    _ = said["wavelength_angstrom"] + 0.0, match_labels(said)
    _ = list(zip(said["two_theta"], net_pattern(said), *below(said).values(), strict=True))


def match_table(said: Mapping[str, Any]) -> PageTable:
    """Return the table of the candidates that agree best with a pattern.

    Args:
        said: The content of match.json.
    """
    rows = said["matches"][:_MOST_ROWS]
    digits = {"agreement": 3, "r_wp": 1, "volume_factor": 3, "zero_shift": 3, "fwhm": 3}
    summary = [f"Pattern: {said['pattern']}, wavelength {said['wavelength']}."] if said["pattern"] else []
    if others := len(said["matches"]) - len(rows):
        summary.append(f"{others} more in {MATCH_FILE}.")
    return PageTable(
        title="Powder pattern, measured",
        heads=_HEADS,
        rows=[
            PageRow((*(number_text(row[name], n) for name, n in digits.items()), row["id"]), row["id"], stable=False)
            for row in rows
        ],
        summary=summary,
    )


def net_pattern(said: Mapping[str, Any]) -> list[float]:
    """Return the measured intensities without the background, % of the highest.

    Args:
        said: The content of match.json.
    """
    return [a - b for a, b in zip(said["measured"], said["background"], strict=True)]


def match_labels(said: Mapping[str, Any]) -> dict[str, str]:
    """Return what the calculated patterns are called, id and agreement.

    Args:
        said: The content of match.json.
    """
    agreement = {row["id"]: row["agreement"] for row in said["matches"]}
    return {name: f"{name} ({agreement[name]:.3f})" for name in said["calculated"]}


def below(said: Mapping[str, Any]) -> dict[str, list[float]]:
    """Return the calculated patterns by id, each drawn below the one before.

    Args:
        said: The content of match.json.
    """
    return {
        name: [value - _BELOW * (k + 1) for value in values]
        for k, (name, values) in enumerate(said["calculated"].items())
    }


def interactive_match(said: Mapping[str, Any]) -> Any:
    """Return the measured pattern above those of the best candidates as a plotly figure.

    Args:
        said: The content of match.json.
    """
    import plotly.graph_objects as go

    x, labels = said["two_theta"], match_labels(said)
    figure = go.Figure()
    figure.add_scatter(x=x, y=net_pattern(said), mode="lines", name="measured", line={"color": GREY, "width": 1})
    for k, (name, values) in enumerate(below(said).items()):
        line = {"color": COLORS[k % len(COLORS)], "width": 1}
        figure.add_scatter(x=x, y=values, mode="lines", name=labels[name], line=line, customdata=[name] * len(x))
    figure.update_xaxes(title=f"2θ, degrees (λ = {said['wavelength_angstrom']:.4g} Å)")
    figure.update_yaxes(title="intensity", showticklabels=False)
    margin = {"l": 60, "r": 20, "t": 60, "b": 110}
    figure.update_layout(
        template="plotly_white", height=420, title="Measured and calculated", margin=margin, legend=LEGEND_BELOW
    )
    return figure
