"""Rows and columns of the page's table of candidates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chggen.results import Candidate, disagreements, marked, placed_at, space_group_text, sure

_SURE: Final = {"low": 0.0, "medium": 0.5, "high": 1.0}  # by which confidence is sorted, where there is no probability


@dataclass(frozen=True)
class PageCell:
    """What a cell of the table shows, and the number that it is sorted by; None for text."""

    text: str
    value: float | None = None


@dataclass(frozen=True)
class PageColumn:
    """A column of the table.

    Attributes:
        key: Its name in scripts and styles.
        title: Its heading.
        kind: `n` for numbers, else empty.
        priority: 1 for always shown, 2 and 3 for shown where the window is wide enough, 4 for shown when asked for.
        cell: What it shows of a candidate.
    """

    key: str
    title: str
    kind: str
    priority: int
    cell: Callable[[Candidate], PageCell]


@dataclass(frozen=True)
class CandidateRow:
    """A row of the table, with what it is filtered by."""

    id: str
    cells: tuple[PageCell, ...]
    stable: bool
    answer: bool
    formula: str
    group: str
    stage: str
    energy: str


def columns_of(candidates: Sequence[Candidate], further: Sequence[str]) -> tuple[PageColumn, ...]:
    """Return the columns of a table.

    Args:
        candidates: Its candidates; columns that would be empty in all rows are left out.
        further: Further levels of theory, at which some candidates have energies.
    """
    apart = disagreements(candidates)
    found = [
        _text("candidate", "candidate", 1, lambda c: c.id),
        _text("formula", "formula", 1, lambda c: c.formula),
        PageColumn("e_d", "E_d, eV/atom", "n", 1, lambda c: _energy(c.e_decomposition, c)),
        *(_further(level, placed_at(candidates, level)) for level in further),
        PageColumn("inserted", "E inserted, eV", "n", 1, lambda c: _number(c.e_insertion, 4)),
        PageColumn("group", "space group", "", 1, _group),
        _text("known", "known as", 2, lambda c: c.known_as),
        PageColumn("found", "found", "n", 2, lambda c: _number(c.n_found, 0)),
        PageColumn("sure", "sure", "", 2, lambda c: PageCell(sure(c), _sureness(c))),
        PageColumn("atoms", "atoms", "n", 3, lambda c: _number(c.n_atoms, 0)),
        PageColumn("volume", "volume, Å³/atom", "n", 3, lambda c: _number(c.volume_per_atom, 2)),
        PageColumn("density", "density, g/cm³", "n", 4, lambda c: _number(_density(c), 2)),
        _text("cell", "a, b, c, Å; α, β, γ, °", 4, _lattice),
        PageColumn("energy", "E, eV/atom", "n", 3, lambda c: _number(c.energy_per_atom, 4)),
        _text("level", "level", 4, lambda c: c.level),
        _text("stage", "made by", 4, lambda c: c.stage),
        _text("by", "sources", 4, lambda c: c.found_by),
        _text("decomposition", "decomposition", 4, lambda c: c.decomposition_products),
        _text("doubts", "doubts", 4, lambda c: _doubts(c, apart.get(c.id))),
    ]
    always = ("candidate", "formula", "e_d", "group")
    return tuple(col for col in found if col.key in always or any(col.cell(c).text for c in candidates))


def row_of(candidate: Candidate, columns: Sequence[PageColumn], answer: bool) -> CandidateRow:
    """Return the row of a candidate.

    Args:
        candidate: The candidate.
        columns: The columns of the table.
        answer: Whether it is the likeliest of its formula.
    """
    e_d = candidate.deciding_e_d
    return CandidateRow(
        id=candidate.id,
        cells=tuple(column.cell(candidate) for column in columns),
        stable=candidate.stable,
        answer=answer,
        formula=candidate.formula,
        group=_group(candidate).text,
        stage=candidate.stage,
        energy="" if e_d is None else f"{e_d:.6f}",
    )


def filters_of(rows: Sequence[CandidateRow]) -> list[tuple[str, str, list[str]]]:
    """Return name, label and choices of each filter that has a choice.

    Args:
        rows: The rows of the table.
    """
    found = []
    for name, label in (("formula", "Formula"), ("group", "Group"), ("stage", "Made by")):
        values = sorted({getattr(row, name) for row in rows} - {""})
        if len(values) > 1:
            found.append((name, label, values))
    return found


def _text(key: str, title: str, priority: int, value: Callable[[Candidate], str | None]) -> PageColumn:
    return PageColumn(key, title, "", priority, lambda c: PageCell(value(c) or ""))


def _number(value: float | int | None, digits: int) -> PageCell:
    return PageCell("") if value is None else PageCell(f"{round(value, digits) + 0.0:.{digits}f}", float(value))


def _sureness(candidate: Candidate) -> float | None:
    """Return the number that `sure` is sorted by."""
    return _SURE.get(candidate.confidence or "") if candidate.probability is None else candidate.probability


def _energy(value: float | None, candidate: Candidate) -> PageCell:
    """Return the cell of a decomposition energy, marked where it is doubtful."""
    shown = _number(value, 4)
    return PageCell(marked(shown.text, candidate), shown.value)


def _further(level: str, placed: bool) -> PageColumn:
    """Return the column of a further level: E_d there, or energies alone; or that a candidate did not converge."""

    def cell(candidate: Candidate) -> PageCell:
        if candidate.unplaced_at == level and level not in candidate.energies:
            return PageCell("no energy")
        if placed:
            return _energy(candidate.decomposition_energies.get(level), candidate)
        return _number(candidate.energies.get(level), 4)

    return PageColumn(f"e_d_{level}", f"{'E_d' if placed else 'E'} at {level}, eV/atom", "n", 1, cell)


def _doubts(candidate: Candidate, apart: tuple[str, float] | None) -> str | None:
    """Return what makes the energies of a candidate doubtful: its place on the hull, and potentials that disagree."""
    said = [] if candidate.hull_warning is None else [candidate.hull_warning]
    if apart is not None:
        level, off = apart
        said.append(f"at the level of the run {1000 * off:+.0f} meV/atom from {level}")
    return "; ".join(said) or None


def _group(candidate: Candidate) -> PageCell:
    """Return symbol and number of the space group at 0.1 Å, sorted by the number."""
    number = candidate.space_group_loose
    return PageCell(space_group_text(candidate), None if number is None else float(number))


def _density(candidate: Candidate) -> float | None:
    shown: Any = candidate.structure if candidate.structure is not None else candidate.raw
    return None if shown is None else float(shown.density)


def _lattice(candidate: Candidate) -> str | None:
    shown: Any = candidate.structure if candidate.structure is not None else candidate.raw
    if shown is None:
        return None
    lengths, angles = shown.lattice.abc, shown.lattice.angles
    return f"{', '.join(f'{x:.3f}' for x in lengths)}; {', '.join(f'{x:.1f}' for x in angles)}"
