"""report.html: one self-contained page with the ranked table, the attrition and the energies."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chggen.crystals import parse_formula
from chggen.errors import InputError
from chggen.io import read_toml, write_text
from chggen.report.drawing import interactive, save
from chggen.report.figures import attrition, decomposition_histogram
from chggen.report.phase_diagram import energy_at, picture
from chggen.results import Candidate, likelier, rank, read_candidates
from chggen.stability import CAVEAT, LEVELS, References, references_of

_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em;color:#222}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.3em .7em;border-bottom:1px solid #ddd}
th{border-bottom:2px solid #888}
td.n,th.n{text-align:right}
td:first-child{white-space:nowrap}
tr.stable td{background:#eaf6ea}
p.note{color:#555}
"""
_COLUMNS = (
    ("candidate", ""), ("made by", ""), ("formula", ""), ("atoms", "n"), ("E_d, eV/atom", "n"),
    ("E_d at r2scan, eV/atom", "n"), ("E, eV/atom", "n"), ("level", ""),
    ("space group (0.1 Å)", "n"), ("known as", ""), ("found", "n"), ("by", ""), ("confidence", ""), ("products", ""),
)  # fmt: skip


def write_report(folder: Path, out: Path | None = None) -> Path:
    """Write the page of a results folder to DIR/report.html, or into the folder `out`. Raises InputError."""
    candidates = read_candidates(folder)
    target = (out or folder) / "report.html"
    write_text(target, _page(folder.resolve().name, candidates, _references(folder)))
    return target


def draw_candidates(folder: Path, level: str, path: Path) -> None:
    """Draw the phase diagram of a results folder with its candidates into a file. Raises InputError."""
    candidates = read_candidates(folder)
    drawn = picture(_elements(candidates), level, candidates, _references(folder))
    if drawn is None:
        system = "-".join(_elements(candidates))
        raise InputError(
            f"no phase diagram of {system}; expected two or three elements with {level} reference energies"
        )
    save(drawn, path)


def _elements(candidates: Sequence[Candidate]) -> list[str]:
    return list(dict.fromkeys(symbol for c in candidates for symbol in parse_formula(c.formula)))


def _references(folder: Path) -> References:
    """The known phases that the run was placed among."""
    config = folder / "config.toml"
    return references_of(read_toml(config).get("references", ()) if config.exists() else ())


def _page(title: str, candidates: Sequence[Candidate], references: References) -> str:
    figures = [*_diagrams(candidates, references), attrition(candidates), decomposition_histogram(candidates)]
    figures = [figure for figure in figures if figure is not None]
    plots = [f.to_html(full_html=False, include_plotlyjs=k == 0) for k, f in enumerate(figures)]
    good = [c for c in candidates if c.status == "ok" and c.duplicate_of is None]
    good.sort(key=rank)
    bad = [c for c in candidates if c.status == "failed"]
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p>{len(candidates)} candidates, {len(good)} distinct and good, {len(bad)} failed.</p>",
        "<h2>Ranked candidates</h2>",
        _table(good),
        '<p class="note">E_d: decomposition energy against the known phases at the level named, below zero where the '
        f"hull is broken. {CAVEAT}: smaller differences do not decide, and candidates up to 0.03 eV/atom are worth a "
        f"DFT calculation.{_static_note(good, references)}{_likeliest(good)}</p>",
        *plots,
        "<h2>Failed candidates</h2>" if bad else "",
        _failures(bad) if bad else "",
    ]
    body = "\n".join(parts)
    return f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>' + (
        f"<style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _likeliest(distinct: Sequence[Candidate]) -> str:
    """Which candidates are likelier than the first of their formulas."""
    named = [f"{formula}: {told}" for formula, told in likelier(distinct).items()]
    return f" Likelier than the first of its formula: {html.escape('; '.join(named))}." if named else ""


def _static_note(candidates: Sequence[Candidate], references: References) -> str:
    """What is to be said where a decomposition energy stands on a phase that is not relaxed."""
    if not any("(static)" in (c.decomposition_products or "") for c in candidates):
        return ""
    falls = [
        f"{fall:.3f} eV/atom at {level} level"
        for level, fall in zip(references.levels, references.drops.tolist(), strict=True)
        if math.isfinite(fall)
    ]
    how = f", typically {' and '.join(falls)}" if falls else ""
    return f" (static): a known phase that is not relaxed with CHGNet, so its energy is too high{how}."


def _diagrams(candidates: Sequence[Candidate], references: References) -> list[Any]:
    """Phase diagrams of the candidates' system at each level that they have energies of; none beyond ternaries."""
    elements = _elements(candidates)
    if len(elements) not in (2, 3):
        return []
    levels = [level for level in LEVELS if any(energy_at(c, level)[1] is not None for c in candidates)]
    drawn = [picture(elements, level, candidates, references) for level in levels]
    return [interactive(one) for one in drawn if one is not None]


def _table(candidates: Sequence[Candidate]) -> str:
    head = "".join(f'<th class="{kind}">{name}</th>' for name, kind in _COLUMNS)
    rows = []
    for c in candidates:
        cells = (
            c.id, c.stage, c.formula, c.n_atoms, _number(c.e_decomposition),
            _number(c.e_decomposition_r2scan), _number(c.energy_per_atom), c.level,
            c.space_group_loose, c.known_as, c.n_found, c.found_by, c.confidence, c.decomposition_products,
        )  # fmt: skip
        kinds = [kind for _, kind in _COLUMNS]
        shown = "".join(
            f'<td class="{kind}">{html.escape("" if v is None else str(v))}</td>'
            for v, kind in zip(cells, kinds, strict=True)
        )
        stable = c.deciding_e_d is not None and c.deciding_e_d <= 0
        rows.append(f'<tr class="{"stable" if stable else ""}">{shown}</tr>')
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _failures(candidates: Sequence[Candidate]) -> str:
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(text or '')}</td>" for text in (c.id, c.failed_at, c.reason)) + "</tr>"
        for c in candidates
    )
    head = "<tr><th>candidate</th><th>failed at</th><th>reason</th></tr>"
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
