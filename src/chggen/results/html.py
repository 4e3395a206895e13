"""Candidates as a notebook shows them: HTML with pictures, which loads nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from chggen.results.candidate import Candidate
from chggen.results.columns import ANSWER, columns_of, marked, space_group_text
from chggen.results.failures import reasons_of_failure
from chggen.results.likeliest import answers
from chggen.results.picture import structure_svg

_MOST_ROWS: Final = 20
_MOST_REASONS: Final = 3


def candidates_html(candidates: Sequence[Candidate]) -> str:
    """Return a table of the best distinct candidates, with pictures, and what became of the others.

    Args:
        candidates: The candidates of a run, best first.
    """
    distinct = [c for c in candidates if c.status == "ok" and c.duplicate_of is None]
    bad = [c for c in candidates if c.status == "failed"]
    columns = columns_of(candidates)
    rows = [[_picture(c), *(escape(column.text(c)) for column in columns)] for c in distinct[:_MOST_ROWS]]
    align = ["", *("right" if column.number else "left" for column in columns)]
    notes = [f"{len(distinct)} of {len(candidates)} candidates" + (", best first" if len(distinct) > 1 else "")]
    if len(distinct) > _MOST_ROWS:
        notes[0] += f"; the first {_MOST_ROWS} are shown"
    notes += [f"{ANSWER} the likeliest crystal of its formula"] if answers(candidates) else []
    notes += list(_failures(bad))
    table = _table(["", *(column.name for column in columns)], rows, align) if rows else ""
    return f"<div>{table}{''.join(f'<div>{escape(note)}</div>' for note in notes)}</div>"


def candidate_html(candidate: Candidate) -> str:
    """Return a card of a candidate: a picture, and what is known of it.

    Args:
        candidate: The candidate.
    """
    c = candidate
    told = [(name, text) for name, text in _facts(c) if text]
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(text)}</td></tr>'
        for name, text in told
    )
    return (
        '<div style="display:flex;gap:1em;align-items:center">'
        f"{_picture(c, 220)}<table><caption><b>{escape(c.id)}</b></caption>{rows}</table></div>"
    )


def _facts(c: Candidate) -> Iterable[tuple[str, str]]:
    """Yield what is known of a candidate, name and text; empty texts where something is not."""
    shown = c.structure if c.structure is not None else c.raw
    yield "formula", f"{c.formula}, {c.n_atoms} atoms" if c.n_atoms else c.formula
    yield "status", c.status if c.status == "ok" else f"failed at {c.failed_at}: {c.reason}"
    for level, energy in c.energies.items():
        yield f"E ({level})", f"{energy:.4f} eV/atom"
    for level, energy in c.decomposition_energies.items():
        yield f"E_d ({level})", marked(f"{energy + 0.0:.4f} eV/atom", c)
    yield "decomposition", c.decomposition_products or ""
    yield "doubts", c.hull_warning or ""
    yield "E inserted", "" if c.e_insertion is None else f"{c.e_insertion:.3f} eV"
    yield "space group (0.1 Å)", space_group_text(c)
    if shown is not None:
        yield "cell", f"{_numbers(shown.lattice.abc, 3)} Å, {_numbers(shown.lattice.angles, 1)}°"
        yield "volume, density", f"{c.volume_per_atom:.2f} Å³/atom, {c.density:.2f} g/cm³"
    yield "known as", c.known_as or ""
    yield "found", f"{c.n_found} times, by {c.found_by}" if c.n_found and c.found_by else str(c.n_found or "")
    yield "same as", c.duplicate_of or ""
    yield "made from", ", ".join(part for part in (c.seed_source, c.parent) if part)


def _numbers(values: Iterable[float], digits: int) -> str:
    return " ".join(f"{value:.{digits}f}" for value in values)


def _picture(candidate: Candidate, size: int = 80) -> str:
    shown = candidate.structure if candidate.structure is not None else candidate.raw
    return "" if shown is None else structure_svg(shown, size)


def _failures(bad: Sequence[Candidate]) -> Iterable[str]:
    """Yield the commonest reasons of failure with their numbers."""
    reasons = reasons_of_failure(bad)
    for reason, count in reasons[:_MOST_REASONS]:
        yield f"{count} failed at {reason}"
    if others := sum(count for _, count in reasons[_MOST_REASONS:]):
        yield f"{others} failed for other reasons"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], align: Sequence[str]) -> str:
    """Return a table; heads are texts, cells are HTML."""
    first = "".join(f'<th style="text-align:{a}">{escape(h)}</th>' for h, a in zip(heads, align, strict=True))
    body = "".join(
        "<tr>"
        + "".join(f'<td style="text-align:{a}">{cell}</td>' for cell, a in zip(row, align, strict=True))
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{first}</tr></thead><tbody>{body}</tbody></table>"
