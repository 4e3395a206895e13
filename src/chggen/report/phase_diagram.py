"""Phase diagrams of two to four elements: known phases, the hull between them, and the candidates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import Any, Final

import numpy as np

from chggen.crystals import parse_formula, reduced
from chggen.potential import DEFAULT_LEVEL, level_named
from chggen.report.labels import Line, label_sides
from chggen.results import Candidate
from chggen.stability import References, lowest_of_each, phase_label

ON_HULL: Final = 1e-6  # eV/atom
_NEAR: Final = 0.2  # eV/atom; known phases farther above the hull are left out
_MOST: Final = 4  # elements of a diagram
_NAMED: Final = 10  # candidates with a label; the others say what they are when they are pointed at
Place = tuple[float, float, float]
Tie = tuple[Place, Place]


def _turned(places: list[Place], about_x: float, about_y: float) -> np.ndarray:
    """Return places in space turned by two angles in degrees, first about the y axis, of shape (places, 3)."""
    (cx, cy), (sx, sy) = np.cos(np.radians([about_x, about_y])), np.sin(np.radians([about_x, about_y]))
    first = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    second = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    return np.asarray(np.array(places) @ (second @ first).T)


_TRIANGLE: Final[list[Place]] = [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.5, 3**0.5 / 2, 0.0)]
_CORNERS: Final = {
    3: np.array(_TRIANGLE),
    4: _turned([*_TRIANGLE, (0.5, 3**0.5 / 6, (2 / 3) ** 0.5)], about_x=5.0, about_y=4.0),
}


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A phase as it is drawn.

    Attributes:
        name: Reduced formula.
        x: Horizontal coordinate (see `PhaseDiagramPicture`).
        y: Vertical coordinate (see `PhaseDiagramPicture`).
        depth: Coordinate towards the viewer, of a quaternary; 0 in others.
        e_hull: Energy above the hull in eV/atom. For a candidate it is the decomposition energy, which is below zero
            where the candidate breaks the hull.
        kind: `known` or `candidate`.
        side: Side of the point on which its label stands, such as `top center`. Empty for a point without a label.
        text: What is shown under the pointer.
        note: What the label says after the formula.
        id: Id of a candidate; empty for a known phase.
    """

    name: str
    x: float
    y: float
    e_hull: float
    kind: str
    depth: float = 0.0
    side: str = ""
    text: str = ""
    note: str = ""
    id: str = ""


@dataclass(frozen=True, kw_only=True)
class PhaseDiagramPicture:
    """A phase diagram, ready to be drawn.

    In a binary, x is the atom fraction of the second element and y the formation energy in eV/atom. In a ternary, x
    and y are places in a triangle of side one, whose corners are the first element (left), the second (right) and the
    third (top). In a quaternary, x, y and the depth are places in a regular tetrahedron of side one, seen from where no
    two of its edges cover each other; the fourth element is in front.

    Attributes:
        elements: The two to four elements.
        level: Level of theory of all energies.
        marks: The phases.
        lines: Lines between stable phases that are in equilibrium with each other, each by its two ends.
    """

    elements: tuple[str, ...]
    level: str
    marks: tuple[Mark, ...]
    lines: tuple[Tie, ...]

    @property
    def corners(self) -> list[Place]:
        """Where the elements are in a ternary or quaternary; none in a binary."""
        return [tuple(place) for place in _CORNERS.get(len(self.elements), ())]

    @property
    def title(self) -> str:
        """The title, such as `Li–Si at level PBE (CHGNet)`."""
        return f"{'–'.join(self.elements)} at level {level_named(self.level).label}"


def picture(
    elements: Sequence[str],
    level: str = DEFAULT_LEVEL,
    candidates: Iterable[Candidate] = (),
    references: References | None = None,
) -> PhaseDiagramPicture | None:
    """Return the phase diagram of two to four elements.

    Candidates are drawn where they stand and never become part of the hull. Of the known phases, those more than
    0.2 eV/atom above the hull are left out, and of each formula only the one of lowest energy is shown. Labels are
    given to the stable phases and to the best candidate of each formula.

    Args:
        elements: Symbols of the elements. Their order is that of the axes.
        level: Level of theory of the energies.
        candidates: Candidates to draw. Those that failed, are duplicates or have no energy at the level are left out.
        references: The known phases, None for those that are shipped.

    Returns:
        The diagram. None for fewer than two or more than four elements, and where an element has no reference energy.

    Raises:
        InputError: The references have no energies at the level, or an element is unknown.
    """
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.core.composition import Composition

    table = References.load() if references is None else references
    lowest = lowest_of_each(table.system(tuple(elements), level))
    if not can_be_drawn(elements) or not all(((symbol, 1),) in lowest for symbol in elements):
        return None
    entries = [
        PDEntry(Composition(dict(formula)), entry.energy_per_atom * sum(n for _, n in formula), name=entry.id)
        for formula, entry in lowest.items()
    ]
    diagram = PhaseDiagram(entries)
    axes = _Axes(tuple(elements), {symbol: lowest[((symbol, 1),)].energy_per_atom for symbol in elements})
    above = [float(diagram.get_e_above_hull(point) or 0.0) for point in entries]
    known = _known_marks(lowest, above, axes)
    made = _candidate_marks(candidates, level, axes)
    stable = [mark for mark in known if mark.e_hull < ON_HULL]
    lines = _tie_lines(diagram, stable, axes)
    return PhaseDiagramPicture(
        elements=axes.elements,
        level=level,
        marks=_labelled([*known, *made], [*_best_of_each_name(made), *stable], lines),
        lines=tuple(lines),
    )


def can_be_drawn(elements: Sequence[str]) -> bool:
    """Return whether so many elements have a phase diagram.

    Args:
        elements: Symbols of the elements.
    """
    return 2 <= len(elements) <= _MOST


def energy_at(candidate: Candidate, level: str) -> tuple[float | None, float | None]:
    """Return the energies of a candidate at a level of theory.

    Args:
        candidate: A candidate of a run.
        level: Level of theory, such as `pbe` or `r2scan`.

    Returns:
        Energy and decomposition energy, both in eV/atom, None where the candidate has none at this level.
    """
    return candidate.energies.get(level), candidate.decomposition_energies.get(level)


@dataclass(frozen=True)
class _Axes:
    """The axes of a diagram: its elements and their energies in eV/atom, from which formation energies count."""

    elements: tuple[str, ...]
    element_energies: Mapping[str, float]

    def place(self, counts: Mapping[str, Any], energy: float) -> Place:
        """Return where a composition with an energy in eV/atom is; only a binary shows the energy."""
        share = np.array([counts.get(symbol, 0) for symbol in self.elements], float) / sum(counts.values())
        if len(self.elements) == 2:
            above = energy - share @ [self.element_energies[symbol] for symbol in self.elements]
            return float(share[1]), float(above), 0.0
        x, y, depth = (share @ _CORNERS[len(self.elements)]).tolist()
        return x, y, depth


def _known_marks(lowest: Mapping[tuple[tuple[str, int], ...], Any], above: Sequence[float], axes: _Axes) -> list[Mark]:
    """Return the marks of the known phases near the hull; above: energy above hull of each phase, eV/atom."""
    marks = []
    for (formula, entry), e_hull in zip(lowest.items(), above, strict=True):
        if e_hull < _NEAR:
            x, y, depth = axes.place(dict(formula), entry.energy_per_atom)
            text = f"{entry.formula} ({entry.id})<br>{1000 * e_hull:.0f} meV/atom above the hull"
            text += "" if entry.relaxed else "<br>static: not relaxed with the potential"
            name = phase_label(dict(formula))
            marks.append(Mark(name=name, x=x, y=y, depth=depth, e_hull=e_hull, kind="known", text=text))
    return marks


def _candidate_marks(candidates: Iterable[Candidate], level: str, axes: _Axes) -> list[Mark]:
    """Return the marks of the distinct candidates that have both energies at the level."""
    marks = []
    for c in candidates:
        energy, e_d = energy_at(c, level)
        if c.status == "ok" and c.duplicate_of is None and energy is not None and e_d is not None:
            counts = parse_formula(c.formula)
            x, y, depth = axes.place(counts, energy)
            name, note = phase_label(reduced(counts)), f" {1000 * e_d:+.0f} meV/atom"
            text = f"{c.id}<br>{name}, E_d{note}" + (f"<br>{c.hull_warning}" if c.hull_warning else "")
            note += " !" if c.hull_warning else ""
            mark = Mark(name=name, x=x, y=y, depth=depth, e_hull=e_d, kind="candidate", note=note, text=text, id=c.id)
            marks.append(mark)
    return marks


def _best_of_each_name(marks: Iterable[Mark]) -> list[Mark]:
    """Return the lowest mark of each formula, the first of equal ones, of the lowest few formulas.

    Only a binary tells them apart; more labels than that lie over each other.
    """
    best: dict[str, Mark] = {}
    for mark in marks:
        if mark.name not in best or mark.e_hull < best[mark.name].e_hull:
            best[mark.name] = mark
    return sorted(best.values(), key=lambda mark: mark.e_hull)[:_NAMED]


def _tie_lines(diagram: Any, stable: Sequence[Mark], axes: _Axes) -> list[Tie]:
    """Return the lines of the hull: between neighbours in a binary, around each facet in others."""
    if len(axes.elements) == 2:
        return list(pairwise(sorted((mark.x, mark.y, 0.0) for mark in stable)))
    facets = [[diagram.qhull_entries[k] for k in facet] for facet in diagram.facets]
    corners = [[axes.place(entry.composition.get_el_amt_dict(), 0.0) for entry in facet] for facet in facets]
    return sorted({(min(pair), max(pair)) for facet in corners for pair in combinations(facet, 2)})


def _labelled(marks: Sequence[Mark], named: Sequence[Mark], ties: Sequence[Tie]) -> tuple[Mark, ...]:
    """Return all marks, with places for the labels of those that are named."""
    points = np.array([(mark.x, mark.y) for mark in marks])
    lines: list[Line] = [((one[0], one[1]), (two[0], two[1])) for one, two in ties]
    sides = label_sides(points, [mark.name + mark.note if mark in named else "" for mark in marks], lines)
    return tuple(replace(mark, side=side) if side else mark for mark, side in zip(marks, sides, strict=True))
