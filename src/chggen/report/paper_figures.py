"""Which figures for papers a run has: each is drawn where its data are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from chggen.crystals import parse_formula
from chggen.errors import InputError
from chggen.potential import level_named, levels
from chggen.report.drawing import print_phase_diagram
from chggen.report.electrode_figures import electrode_curve, read_electrode
from chggen.report.figure_files import COLORS, GREY, PaperFigure, save_figure
from chggen.report.figures import remaining
from chggen.report.order_table import read_order
from chggen.report.phase_diagram import can_be_drawn, energy_at, picture
from chggen.report.powder_match import below, match_labels, net_pattern, read_match
from chggen.results import Candidate, read_candidates, read_options
from chggen.stability import references_of

_BIN: Final = 0.02  # eV/atom, of the histogram
_Said = dict[str, Any]


def save_figures(folder: Path, out: Path) -> list[Path]:
    """Write each figure of a results folder as SVG and PDF, with its data as CSV, in one style.

    They are: `attrition`, what was left after each step; `decomposition-LEVEL`, a histogram; `phase-diagram-LEVEL`, of
    two to four elements; `voltage-LEVEL` and `mixing-LEVEL` of an electrode; `orderings` of a partially occupied
    crystal; `powder` where a pattern was matched.

    Args:
        folder: The results folder of a run.
        out: Folder for the files, made where it does not exist.

    Returns:
        The paths of the files.

    Raises:
        InputError: The folder holds no results, a file in it is damaged, or nothing can be written to `out`.
    """
    return [path for figure in figures_of(folder) for path in save_figure(figure, out)]


def figures_of(folder: Path) -> list[PaperFigure]:
    """Return the figures for papers of a results folder.

    Args:
        folder: The results folder of a run.

    Raises:
        InputError: The folder holds no results, or a file in it is damaged.
    """
    candidates = read_candidates(folder)
    figures = [_attrition(candidates), *_histograms(candidates), *_diagrams(folder, candidates)]
    for said in read_electrode(folder) or []:
        figures += [_voltage(said), _mixing(said)]
    order = read_order(folder)
    if order is not None and any(one["above"] is not None for one in order["orderings"]):
        figures.append(_orderings(order))
    match = read_match(folder)
    return figures if match is None else [*figures, _powder(match)]


def _attrition(candidates: Sequence[Candidate]) -> PaperFigure:
    stages = {s: remaining([c for c in candidates if c.stage == s]) for s in dict.fromkeys(c.stage for c in candidates)}

    def draw(axes: Any) -> None:
        width = 0.8 / len(stages)
        for k, (stage, (labels, left)) in enumerate(stages.items()):
            places = [i + (k - (len(stages) - 1) / 2) * width for i in range(len(labels))]
            bars = axes.bar(places, left, width, color=COLORS[k % len(COLORS)], label=stage)
            axes.bar_label(bars, fontsize=6)
            axes.set_xticks(range(len(labels)), labels, rotation=30, ha="right")
        axes.set_ylabel("candidates left")

    rows = [(stage, *pair) for stage, said in stages.items() for pair in zip(*said, strict=True)]
    return PaperFigure(name="attrition", draw=draw, columns=("stage", "step", "left"), rows=tuple(rows))


def _histograms(candidates: Sequence[Candidate]) -> Iterator[PaperFigure]:
    for level in levels():
        placed = [
            (c.id, c.stage, e_d)
            for c in candidates
            if c.status == "ok" and (e_d := c.decomposition_energies.get(level)) is not None
        ]
        if placed:
            yield PaperFigure(
                name=f"decomposition-{level}", draw=partial(_draw_histogram, placed, level),
                columns=("candidate", "stage", "e_decomposition_eV_per_atom"), rows=tuple(placed),
            )  # fmt: skip


def _draw_histogram(placed: Sequence[tuple[str, str, float]], level: str, axes: Any) -> None:
    import numpy as np

    stages = list(dict.fromkeys(stage for _, stage, _ in placed))
    values = [[e_d for _, stage, e_d in placed if stage == one] for one in stages]
    every = [e_d for _, _, e_d in placed]
    bins = np.arange(np.floor(min(every) / _BIN), np.floor(max(every) / _BIN) + 2) * _BIN
    colors = [COLORS[k % len(COLORS)] for k in range(len(stages))]
    axes.hist(values, bins, stacked=True, color=colors, label=stages)
    axes.axvline(0, color=GREY, linestyle=":", label="hull")
    axes.set_xlabel(f"$E_d$, eV/atom ({level_named(level).label})")
    axes.set_ylabel("candidates")


def _diagrams(folder: Path, candidates: Sequence[Candidate]) -> Iterator[PaperFigure]:
    elements = list(dict.fromkeys(symbol for c in candidates for symbol in parse_formula(c.formula)))
    if not can_be_drawn(elements):
        return
    named = read_options(folder).get("references", ())
    if not isinstance(named, (list, tuple)) or not all(isinstance(name, str) for name in named):
        raise InputError(f"{folder / 'config.toml'} is damaged: expected references to be a list of names; mend it")
    for level in levels():
        if any(energy_at(c, level)[1] is not None for c in candidates):
            drawn = picture(elements, level, candidates, references_of(named))
            if drawn is not None:
                yield PaperFigure(
                    name=f"phase-diagram-{level}", draw=partial(print_phase_diagram, drawn),
                    columns=("phase", "kind", "x", "y", "above_hull_eV_per_atom"),
                    rows=tuple((m.name, m.kind, m.x, m.y, m.e_hull) for m in drawn.marks),
                )  # fmt: skip


def _voltage(said: _Said) -> PaperFigure:
    x, y = electrode_curve(said["steps"])

    def draw(axes: Any) -> None:
        axes.plot(x, y, color=COLORS[0])
        axes.set_xlabel(f"{said['ion']} per {said['framework']}")
        axes.set_ylabel(f"voltage against {said['ion']}, V")

    rows = tuple(zip(x, y, strict=True))
    return PaperFigure(name=f"voltage-{said['level']}", draw=draw, columns=("content", "voltage_V"), rows=rows)


def _mixing(said: _Said) -> PaperFigure:
    points = said["candidates"]
    hull = [c for c in said["contents"] if c["above_hull"] is not None and c["above_hull"] < 1e-9]

    def draw(axes: Any) -> None:
        axes.plot([c["content"] for c in hull], [1000 * c["mixing_energy"] for c in hull], color=GREY, label="hull")
        for changed, label in ((False, "candidate"), (True, "another framework")):
            own = [(p["content"], 1000 * p["mixing_energy"]) for p in points if p["changed"] == changed]
            if own:
                face = "none" if changed else COLORS[0]
                axes.scatter(*zip(*own, strict=True), s=12, edgecolors=COLORS[0], facecolors=face, label=label)
        axes.set_xlabel(f"{said['ion']} per {said['framework']}")
        axes.set_ylabel(f"mixing energy, meV per {said['framework']}")

    rows = tuple((p["id"], p["content"], 1000 * p["mixing_energy"], p["changed"]) for p in points)
    columns = ("candidate", "content", "mixing_energy_meV", "framework_changed")
    return PaperFigure(name=f"mixing-{said['level']}", draw=draw, columns=columns, rows=rows)


def _orderings(said: _Said) -> PaperFigure:
    found = [one for one in said["orderings"] if one["above"] is not None]

    def draw(axes: Any) -> None:
        axes.scatter(range(1, len(found) + 1), [one["above"] for one in found], s=12, color=COLORS[0])
        axes.set_xlabel("ordering")
        axes.set_ylabel("above the lowest, meV/atom")

    rows = tuple((one["id"], one["group"], one["above"], one["weight"]) for one in found)
    columns = ("candidate", "space_group", "above_lowest_meV_per_atom", "weight")
    return PaperFigure(name="orderings", draw=draw, columns=columns, rows=rows)


def _powder(said: Mapping[str, Any]) -> PaperFigure:
    """Return the measured pattern without its background above those of the best candidates, one below the other."""
    x, calculated, net, labels = said["two_theta"], said["calculated"], net_pattern(said), match_labels(said)

    def draw(axes: Any) -> None:
        axes.plot(x, net, color=GREY, linewidth=0.6, label="measured")
        for k, (name, values) in enumerate(below(said).items()):
            axes.plot(x, values, color=COLORS[k % len(COLORS)], linewidth=0.6, label=labels[name])
        axes.set_xlabel(f"2θ, degrees (λ = {said['wavelength_angstrom']:.4g} Å)")
        axes.set_ylabel("intensity")
        axes.set_yticks([])

    rows = tuple(zip(x, said["measured"], said["background"], *calculated.values(), strict=True))
    columns = ("two_theta_degrees", "measured", "background", *calculated)
    return PaperFigure(name="powder", draw=draw, columns=columns, rows=rows)
