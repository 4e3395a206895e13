"""Figures of the page, as plotly takes them, with a sentence below each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from chggen.potential import levels
from chggen.report.drawing import interactive
from chggen.report.electrode_figures import interactive_electrode
from chggen.report.figures import attrition, decomposition_histogram
from chggen.report.phase_diagram import can_be_drawn, energy_at, picture
from chggen.report.powder_match import interactive_match
from chggen.results import Candidate
from chggen.stability import References

_DIAGRAM: Final = (
    "Known phases, the hull between those that are stable (blue), and candidates (diamonds). A click on a candidate "
    "chooses it."
)
_MATCH: Final = "The measured pattern without its background, and below it those of the candidates that agree best."
_HISTOGRAM: Final = "All good candidates, duplicates among them. Left of the dotted line the hull is broken."
_ATTRITION: Final = "How many candidates of each stage were left after each step, from all that were asked for."


@dataclass(frozen=True)
class PagePlot:
    """A figure of the page: what plotly draws it from, as JSON that may stand in a script, and what it shows."""

    json: str
    caption: str


def plots_of(
    candidates: Sequence[Candidate],
    references: References,
    electrode: list[dict[str, Any]] | None,
    elements: Sequence[str],
    match: dict[str, Any] | None = None,
) -> list[PagePlot]:
    """Return all figures of a page.

    Args:
        candidates: All candidates of the run.
        references: The known phases.
        electrode: What an electrode says, which comes first; None for other runs.
        elements: The elements of all candidates.
        match: What a match with a measured powder pattern says; None for none.
    """
    curve = [] if not electrode else [(interactive_electrode(electrode), "")]
    drawn = [
        *curve,
        *([] if match is None else [(interactive_match(match), _MATCH)]),
        *((figure, _DIAGRAM) for figure in _diagrams(candidates, references, elements)),
        (decomposition_histogram(candidates), _HISTOGRAM),
        (attrition(candidates), _ATTRITION),
    ]
    shown = [(figure, caption) for figure, caption in drawn if figure is not None]
    return [PagePlot(figure.to_json().replace("</", "<\\/"), caption) for figure, caption in shown]


def library() -> str:
    """Return the script of plotly, which draws the figures."""
    from plotly.offline import get_plotlyjs

    script: str = get_plotlyjs()
    return script


def _diagrams(candidates: Sequence[Candidate], references: References, elements: Sequence[str]) -> list[Any]:
    """Return a phase diagram for each level that candidates have energies at; none but of two to four elements."""
    if not can_be_drawn(elements):
        return []
    placed = [level for level in levels() if any(energy_at(c, level)[1] is not None for c in candidates)]
    drawn = [picture(elements, level, candidates, references) for level in placed]
    return [interactive(diagram) for diagram in drawn if diagram is not None]
