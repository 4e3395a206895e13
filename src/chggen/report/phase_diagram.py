"""Binary and ternary phase diagrams: known phases, the hull between them, and candidates on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import Any, Final

import numpy as np

from chggen.crystals import parse_formula, reduced
from chggen.results import Candidate
from chggen.stability import LEVELS, References, lowest_of_each, phase_label

ON_HULL: Final = 1e-6  # eV/atom
_NEAR: Final = 0.2  # eV/atom; known phases farther above the hull are left out
_LETTER: Final = (0.0115, 0.03)  # width and height of a letter, as fractions of the picture
Line = tuple[tuple[float, float], tuple[float, float]]
_SIDES: Final = {  # of a label to its point, and where plotly puts it
    "bottom center": (0, -1), "top center": (0, 1), "middle right": (1, 0), "middle left": (-1, 0),
    "bottom right": (1, -1), "bottom left": (-1, -1), "top right": (1, 1), "top left": (-1, 1),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A phase in the picture: where it is, above the hull by how much (eV/atom), which side its label stands on.

    note: what its label says after the formula; text: what is told under the pointer.
    """

    name: str
    x: float
    y: float
    e_hull: float
    kind: str  # known, or candidate
    side: str = ""
    text: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class PhaseDiagramPicture:
    """What is drawn. Binary: x atom fraction of the second element, y formation energy in eV/atom; ternary: x and y in
    a triangle of side one. lines join the stable phases that are in equilibrium with each other.
    """

    elements: tuple[str, ...]
    level: str
    marks: tuple[Mark, ...]
    lines: tuple[Line, ...]

    @property
    def ternary(self) -> bool:
        return len(self.elements) == 3

    @property
    def title(self) -> str:
        return f"{'–'.join(self.elements)} at {self.level} level{' (CHGNet)' if self.level in LEVELS else ''}"


def picture(
    elements: Sequence[str],
    level: str = "pbe",
    candidates: Iterable[Candidate] = (),
    references: References | None = None,
) -> PhaseDiagramPicture | None:
    """The diagram of two or three elements; None for another number, and where an element has no reference energy.

    Candidates are drawn where they stand and never become part of the hull. Of known phases more than 0.2 eV/atom above
    the hull, and of all but the lowest of a formula, nothing is shown.
    """
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.core.composition import Composition

    elements = tuple(elements)
    table = References.load() if references is None else references
    lowest = lowest_of_each(table.system(elements, level))
    if len(elements) not in (2, 3) or not all(((symbol, 1),) in lowest for symbol in elements):
        return None
    entries = [
        PDEntry(Composition(dict(formula)), entry.energy_per_atom * sum(n for _, n in formula), name=entry.id)
        for formula, entry in lowest.items()
    ]
    diagram = PhaseDiagram(entries)
    own = {symbol: lowest[((symbol, 1),)].energy_per_atom for symbol in elements}

    def place(counts: Mapping[str, Any], energy: float) -> tuple[float, float]:
        share = np.array([counts.get(symbol, 0) for symbol in elements], float) / sum(counts.values())
        if len(elements) == 2:
            return float(share[1]), float(energy - share @ [own[symbol] for symbol in elements])
        return float(share[1] + share[2] / 2), float(share[2] * np.sqrt(3) / 2)

    marks = []
    for (formula, entry), point in zip(lowest.items(), entries, strict=True):
        above = float(diagram.get_e_above_hull(point) or 0.0)
        if above < _NEAR:
            x, y = place(dict(formula), entry.energy_per_atom)
            text = f"{entry.formula} ({entry.id})<br>{1000 * above:.0f} meV/atom above the hull"
            text += "" if entry.relaxed else "<br>static: not relaxed with CHGNet"
            marks.append(Mark(name=phase_label(dict(formula)), x=x, y=y, e_hull=above, kind="known", text=text))
    best: dict[str, Mark] = {}  # of each formula: the others of a ternary lie under it
    for c in candidates:
        energy, e_d = energy_at(c, level)
        if c.status == "ok" and c.duplicate_of is None and energy is not None and e_d is not None:
            x, y = place(parse_formula(c.formula), energy)
            shown, told = phase_label(reduced(parse_formula(c.formula))), f" {1000 * e_d:+.0f} meV/atom"
            text = f"{c.id}<br>{shown}, E_d{told}"
            mark = Mark(name=shown, note=told, x=x, y=y, e_hull=e_d, kind="candidate", text=text)
            if shown not in best or e_d < best[shown].e_hull:
                best[shown] = mark
            marks.append(mark)
    stable = [m for m in marks if m.kind == "known" and m.e_hull < ON_HULL]
    if len(elements) == 2:
        lines = list(pairwise(sorted((m.x, m.y) for m in stable)))
    else:
        corners = [[place(p.composition.get_el_amt_dict(), 0.0) for p in facet] for facet in _facets(diagram)]
        lines = sorted({(min(pair), max(pair)) for facet in corners for pair in combinations(facet, 2)})
    return PhaseDiagramPicture(
        elements=elements, level=level, marks=_labelled(marks, [*best.values(), *stable], lines), lines=tuple(lines)
    )


def energy_at(candidate: Candidate, level: str) -> tuple[float | None, float | None]:
    """Energy and E_d of a candidate at a level, eV/atom."""
    if candidate.level == level:
        return candidate.energy_per_atom, candidate.e_decomposition
    if level == "r2scan":
        return candidate.energy_per_atom_r2scan, candidate.e_decomposition_r2scan
    return None, None


def _facets(diagram: Any) -> list[list[Any]]:
    """The entries at the corners of each facet of the hull."""
    return [[diagram.qhull_entries[k] for k in facet] for facet in diagram.facets]


def _labelled(marks: Sequence[Mark], named: Sequence[Mark], lines: Sequence[Line]) -> tuple[Mark, ...]:
    """The marks, those named with labels that keep off each other, the points and the lines if they can."""
    places = np.array([(m.x, m.y) for m in marks])
    least, size = places.min(axis=0), np.ptp(places, axis=0)
    size[size == 0] = 1.0
    points = (places - least) / size
    along = np.linspace(0, 1, 100)[:, None]
    strokes = [(np.array(a) + along * (np.array(b) - np.array(a)) - least) / size for a, b in lines]
    ink = np.concatenate([points, *strokes])
    weight = np.r_[np.ones(len(points)), np.full(len(ink) - len(points), 0.1)]
    taken: list[tuple[float, float, float, float]] = []
    found = list(marks)
    for k, mark in enumerate(marks):
        if mark not in named:
            continue
        w, h = _LETTER[0] * len(mark.name + mark.note), _LETTER[1]
        best, lowest = "", np.inf
        for side, (right, up) in _SIDES.items():
            x, y = points[k] + [right * (w / 2 + 0.012), up * (h / 2 + 0.016)]
            box = (x - w / 2, x + w / 2, y - h / 2, y + h / 2)
            covered = weight[((ink >= [box[0], box[2]]) & (ink <= [box[1], box[3]])).all(axis=1)].sum()
            cost = float(covered) + 10 * sum(_overlap(box, other) for other in taken) / (w * h)
            if cost < lowest - 1e-9:
                best, lowest, chosen = side, cost, box
        taken.append(chosen)
        found[k] = replace(mark, side=best)
    return tuple(found)


def _overlap(one: Sequence[float], two: Sequence[float]) -> float:
    """Area that two boxes (left, right, bottom, top) share."""
    return max(0.0, min(one[1], two[1]) - max(one[0], two[0])) * max(0.0, min(one[3], two[3]) - max(one[2], two[2]))
