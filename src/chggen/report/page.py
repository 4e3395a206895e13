"""The report page of a run: report.html with the ranked candidates, the figures and the failures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chggen import __version__
from chggen.crystals import parse_formula
from chggen.errors import InputError
from chggen.execution import read_note
from chggen.io import write_text
from chggen.potential import DEFAULT_LEVEL, level_named, refining_levels
from chggen.report.drawing import save
from chggen.report.electrode_figures import read_electrode, save_electrode
from chggen.report.electrode_table import contents_tables
from chggen.report.interface_table import table_of_interface
from chggen.report.order_table import orderings_table, read_order
from chggen.report.page_answers import advice, asked, page_answers
from chggen.report.page_crystals import page_data
from chggen.report.page_plots import library, plots_of
from chggen.report.page_rows import columns_of, filters_of, row_of
from chggen.report.phase_diagram import picture
from chggen.report.powder_match import match_table, read_match
from chggen.results import (
    Candidate,
    answers,
    further_levels,
    has_tables,
    likelier,
    ranked,
    read_candidates,
    read_options,
    write_tables,
)
from chggen.stability import STATIC, References, references_of

_PARTS: Final = Path(__file__).with_name("page")
_TEMPLATE: Final = "page.html.jinja"
_SCRIPTS: Final = ("3Dmol-min.js", "crystal.js", "powder.js", "viewer.js", "table.js", "page.js")  # in this order
_RELAX: Final = "relax"  # the stage of structures that were given
_FAILURE_COLUMNS: Final = (("candidate", ""), ("failed at", ""), ("reason", ""))


@dataclass(frozen=True)
class _Row:
    """One row of the table of failed candidates."""

    cells: tuple[str, ...]
    stable: bool = False
    link: str = ""


def write_report(folder: Path, out: Path | None = None) -> Path:
    """Write the report page of a results folder.

    The page is one self-contained file: it loads nothing from elsewhere. Of a run that was stopped, duplicates are
    looked for first; summary.csv and structures/, which such a run did not come to, are then written as well, unless
    the page goes elsewhere.

    Args:
        folder: The results folder of a run.
        out: Folder that `report.html` is written into. None writes it into the results folder.

    Returns:
        The path of the page.

    Raises:
        InputError: The folder holds no results, or a reference file of the run is missing or cannot be read.
    """
    candidates = read_candidates(folder)
    if not has_tables(folder):
        candidates = _finished(candidates)
        if out is None:
            write_tables(folder, candidates, () if _all_given(candidates) else refining_levels())
    target = (out or folder) / "report.html"
    write_text(target, _page(folder, candidates))
    return target


def _finished(candidates: list[Candidate]) -> list[Candidate]:
    """Return candidates as a run that ends well leaves them: duplicates found, best first. Given ones stay in order."""
    if _all_given(candidates):
        return candidates
    from chggen.campaign import with_duplicates

    return with_duplicates(ranked(candidates))


def _all_given(candidates: Sequence[Candidate]) -> bool:
    """Return whether all candidates are structures that were given and relaxed."""
    return bool(candidates) and all(c.stage == _RELAX for c in candidates)


def draw_candidates(folder: Path, level: str | None, path: Path) -> None:
    """Draw the phase diagram of a results folder with its candidates into a file; of an electrode, its voltage curve.

    Args:
        folder: The results folder of a run.
        level: Level of theory of the energies, such as `pbe`. None: that of the run.
        path: File to write. Its ending chooses the format (see `save`).

    Raises:
        InputError: The folder holds no results, the system has not two to four elements, an element has no reference
            energy at the level, or the ending of the file is unknown.
    """
    candidates = read_candidates(folder)
    electrode = read_electrode(folder)
    if electrode or read_options(folder).get("command") == "electrode":
        drawn_levels = [at for at in electrode or [] if level in (None, at["level"])]
        if not drawn_levels:
            known = ", ".join(at["level"] for at in electrode or []) or "none"
            raise InputError(
                f"{folder} has no voltage curve{f' at the level {level}' if level else ''}; levels with one: {known}; "
                "repeat the command of a run that was stopped"
            )
        save_electrode(drawn_levels, path)
        return
    level = level or next((c.level for c in candidates if c.level is not None), DEFAULT_LEVEL)
    drawn = picture(elements_of(candidates), level, candidates, _references(folder))
    if drawn is None:
        system = "-".join(elements_of(candidates))
        raise InputError(f"no phase diagram of {system}; expected two to four elements with {level} reference energies")
    save(drawn, path)


def elements_of(candidates: Sequence[Candidate]) -> list[str]:
    """Return the elements of all candidates, each once.

    Args:
        candidates: The candidates.
    """
    return list(dict.fromkeys(symbol for c in candidates for symbol in parse_formula(c.formula)))


def _references(folder: Path) -> References:
    """Return the reference phases that the run compared its candidates with."""
    named = read_options(folder).get("references", ())
    if not isinstance(named, (list, tuple)) or not all(isinstance(name, str) for name in named):
        raise InputError(
            f"{folder / 'config.toml'} is damaged: references = {named!r:.60}, expected a list of names; mend that line"
        )
    return references_of(named)


def _page(folder: Path, candidates: Sequence[Candidate]) -> str:
    """Return the HTML of the page of a results folder, whose candidates are given."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from chggen.campaign import left_symmetry

    environment = Environment(
        loader=FileSystemLoader(_PARTS),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": True, "separators": (",", ":")}  # a tenth smaller
    distinct = ranked(c for c in candidates if c.status == "ok" and c.duplicate_of is None)
    columns = columns_of(distinct, further_levels(candidates))
    likeliest = {c.id for c in answers(distinct).values()}
    rows = [row_of(c, columns, c.id in likeliest) for c in distinct]
    caveats = [level_named(level).caveat for c in distinct for level in c.decomposition_energies]
    references, electrode, order = _references(folder), read_electrode(folder), read_order(folder)
    match = read_match(folder)
    static = any(STATIC in (c.decomposition_products or "") for c in distinct)
    said = page_answers(distinct)
    data = page_data(folder, distinct, candidates, said[0].id if said else None)
    return environment.get_template(_TEMPLATE).render(
        title=folder.resolve().name,
        heading="Relaxed structures" if _all_given(candidates) else "Ranked candidates",
        version=__version__,
        style=(_PARTS / "page.css").read_text(encoding="utf-8"),
        scripts=[(_PARTS / name).read_text(encoding="utf-8") for name in _SCRIPTS],
        data=data,
        first=data["first"],
        n_candidates=len(candidates),
        compared=not _all_given(candidates) and any(c.energies for c in distinct),
        answers=said,
        advice=advice(distinct),
        asked=asked(folder, read_options(folder)),
        unfinished=read_note(folder),
        left_symmetry=left_symmetry(distinct),
        columns=columns,
        rows=rows,
        filters=filters_of(rows),
        caveats=[caveat for caveat in dict.fromkeys(caveats) if caveat],
        static_products=static,
        static_excess=_static_excess(references) if static else [],
        likelier=[f"{formula}: {reason}" for formula, reason in likelier(distinct).items()],
        plots=plots_of(candidates, references, electrode, elements_of(candidates), match),
        plotly=library(),
        electrode=contents_tables(electrode or []),
        orderings=None if order is None else orderings_table(order),
        interface=table_of_interface(folder),
        match=None if match is None else match_table(match),
        failure_columns=_FAILURE_COLUMNS,
        failures=[_failure_row(c) for c in candidates if c.status == "failed"],
    )


def _failure_row(candidate: Candidate) -> _Row:
    """Return the row of a failed candidate, one cell for each of _FAILURE_COLUMNS."""
    return _Row(cells=(candidate.id, candidate.failed_at or "", candidate.reason or ""))


def _static_excess(references: References) -> list[str]:
    """Return, for each level where it is known, by how much the energies of unrelaxed reference phases are too high."""
    return [
        f"{drop:.3f} eV/atom at {level} level"
        for level, drop in zip(references.levels, references.drops.tolist(), strict=True)
        if math.isfinite(drop)
    ]
