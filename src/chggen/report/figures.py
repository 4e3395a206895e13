"""Figures of a run: how many candidates were left after each step, and how stable they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from chggen.report.figure_files import LEGEND_BELOW
from chggen.results import Candidate

# told apart by colour-blind readers, and at least 3:1 on white and on the dark page
_COLORS: Final = {"generate": "#0b5cad", "inpaint": "#b35900", "relax": "#1f6f4a"}


def remaining(candidates: Sequence[Candidate]) -> tuple[list[str], list[int]]:
    """Count how many candidates of one stage were left after each step.

    Failures are taken off at the step where they happened. A candidate that failed at `refine` before anything was
    generated is one whose framework had no symmetry; it is taken off at the step `framework`.

    Args:
        candidates: All candidates of one stage, failures included.

    Returns:
        The names of the steps, and the number of candidates left after each. The first number is how many were asked
        for.
    """
    lost_at: dict[str, Callable[[Candidate], bool]] = {
        "framework": lambda c: c.failed_at == "refine" and c.raw is None,
        "sampled": lambda c: c.failed_at in ("draw", "sample"),
        "screened": lambda c: c.failed_at == "screen",
        "relaxed": lambda c: c.failed_at == "relax",
        "refined": lambda c: c.failed_at == "refine" and c.raw is not None,
        "distinct": lambda c: c.failed_at == "hull" or (c.status == "ok" and c.duplicate_of is not None),
    }
    labels, left = ["asked for"], [len(candidates)]
    for label, lost in lost_at.items():
        labels.append(label)
        left.append(left[-1] - sum(lost(c) for c in candidates))
    return labels, left


def attrition(candidates: Sequence[Candidate]) -> Any:
    """Draw how many candidates of each stage were left after each step.

    Args:
        candidates: All candidates of a run, failures included.

    Returns:
        A `plotly.graph_objects.Figure` with bars, one colour for each stage.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for stage in dict.fromkeys(c.stage for c in candidates):
        labels, left = remaining([c for c in candidates if c.stage == stage])
        figure.add_bar(name=stage, x=labels, y=left, marker_color=_COLORS.get(stage), text=left)
    figure.update_layout(barmode="group", yaxis_title="candidates", title="What was left after each step")
    return _plain(figure)


def decomposition_histogram(candidates: Sequence[Candidate]) -> Any | None:
    """Draw a histogram of the decomposition energies, in bins of 0.02 eV/atom.

    Args:
        candidates: All candidates of a run. Those without a decomposition energy are left out.

    Returns:
        A `plotly.graph_objects.Figure` with one colour for each stage. None where no candidate has an energy.
    """
    import plotly.graph_objects as go

    placed = [c for c in candidates if c.status == "ok" and c.e_decomposition is not None]
    if not placed:
        return None
    figure = go.Figure()
    for stage in dict.fromkeys(c.stage for c in placed):
        values = [c.e_decomposition for c in placed if c.stage == stage]
        figure.add_histogram(name=stage, x=values, xbins={"size": 0.02}, marker_color=_COLORS.get(stage), opacity=0.8)
    figure.add_vline(x=0, line_dash="dot", annotation_text="hull")
    figure.update_layout(
        barmode="stack",
        xaxis_title="decomposition energy E_d, eV/atom",
        yaxis_title="candidates",
        title="Stability against the known phases",
    )
    return _plain(figure)


def _plain(figure: Any) -> Any:
    """Return the figure with the style that all figures share."""
    margin = {"l": 60, "r": 20, "t": 60, "b": 100}
    figure.update_layout(template="plotly_white", height=380, margin=margin, legend=LEGEND_BELOW)
    return figure
