"""What the command line shows: progress while a run goes on, the ranked table at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from chggen.campaign import left_symmetry
from chggen.errors import counted
from chggen.potential import level_named
from chggen.results import Candidate, further_levels, likelier
from chggen.stability import STATIC

_MOST_ROWS = 20
_MOST_NAMED = 5  # candidates that a line below the table names
_DOUBTFUL = " !"  # stands behind a decomposition energy that has a warning
_Columns = Mapping[str, Callable[[Candidate], str]]
"""What each column of a table shows of a candidate."""
_WIDTH_OF_FILES = 140  # characters, where no terminal sets the width


@contextmanager
def watched() -> Iterator[Callable[[str, int, int, int], None]]:
    """Show a progress bar on stderr for each stage of a run.

    Yields:
        The callback to hand to the run: (stage, done, total, failed).
    """
    columns = (
        TextColumn("{task.description:10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]} failed"),
        TimeRemainingColumn(),
    )
    bars = Progress(*columns, console=Console(stderr=True))
    tasks: dict[str, TaskID] = {}

    def progress(stage: str, done: int, total: int, failures: int) -> None:
        bars.start()
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage, total=total or None, failed=failures)
        bars.update(tasks[stage], completed=done, total=total or None, failed=failures)

    try:
        yield progress
    finally:
        if tasks:  # input refused at the start leaves stderr to its one sentence
            bars.stop()


def show(candidates: Sequence[Candidate], folder: Path) -> None:
    """Show the best distinct candidates as a table, and where everything is.

    Args:
        candidates: The ranked candidates of a run.
        folder: Its results folder.
    """
    distinct = [c for c in candidates if c.status == "ok" and c.duplicate_of is None]
    relaxed = bool(candidates) and all(c.stage == "relax" for c in candidates)
    compared = any(c.energies for c in distinct)  # without energies nothing is
    kind, thing = ("relaxed of", "structure") if relaxed else ("distinct of" if compared else "good of", "candidate")
    columns = _RELAXED if relaxed else _ranked_columns(further_levels(candidates))
    if any(c.e_insertion is not None for c in distinct):
        columns = {**columns, "E inserted, eV": lambda c: _number(c.e_insertion)}
    also = "" if relaxed or compared or not distinct else ", not compared for duplicates"
    table = Table(title=f"{len(distinct)} {kind} {counted(len(candidates), thing)}{also}")
    for name in columns:
        table.add_column(name, no_wrap=True)
    for c in distinct[:_MOST_ROWS]:
        table.add_row(*(cell(c) for cell in columns.values()))
    console = Console()
    if not console.is_terminal:
        console.width = _WIDTH_OF_FILES
    console.print(table)
    if relaxed and distinct:
        console.print("place them against known phases by `chggen hull`", markup=False)
    placed = dict.fromkeys(level for c in distinct for level in c.decomposition_energies)
    for caveat in dict.fromkeys(level_named(level).caveat for level in placed):
        if caveat:
            console.print(f"E_d: {caveat}")
    for line in _doubts(distinct[:_MOST_ROWS]):
        console.print(line, markup=False, soft_wrap=True)  # a command in it can be copied whole
    if low := left_symmetry(distinct[:_MOST_ROWS]):
        console.print(f"not in the symmetry that was drawn, which was a saddle: {_named(low)}", soft_wrap=True)
    for formula, told in likelier(distinct).items():
        console.print(f"likeliest of {formula}: {told}")
    if any(STATIC in (c.decomposition_products or "") for c in distinct):
        console.print("some stand on known phases that are not relaxed with the potential, (static) among the products")
    energetic = [c for c in distinct if c.energies and not c.decomposition_energies]
    given = sum(c.stage == "relax" for c in energetic)
    if given and not relaxed:
        console.print(f"{given} of relax not placed on a hull; `chggen hull` does that", markup=False)
    unplaced = [c for c in energetic if c.stage != "relax" and not c.hull_warning]  # which says why
    for level in dict.fromkeys(c.level for c in unplaced):
        console.print(f"no decomposition energies: there are no reference energies of all elements at level {level}")
    bad = [c for c in candidates if c.status == "failed"]
    if bad and not distinct:
        reason, count = Counter(f"{c.failed_at}: {c.reason}" for c in bad).most_common(1)[0]
        console.print(f"nothing good was made; {count} of {len(bad)} failed at {reason}")
    if bad:
        console.print(f"{len(bad)} failed; their stages and reasons stand in summary.csv")
    console.print(f"results in {folder} (report.html, summary.csv, structures/)")


def _ranked_columns(levels: Sequence[str]) -> _Columns:
    """Return the columns of a run that makes candidates, with one for each further level of theory."""
    further = {f"E_d {level}": partial(_e_d_at, level=level) for level in levels}
    return {
        "candidate": lambda c: c.id,
        "formula": lambda c: c.formula,
        "atoms": lambda c: str(c.n_atoms),
        "E, eV/atom": lambda c: _number(c.energy_per_atom),
        "E_d, eV/atom": lambda c: _number(c.e_decomposition) + _mark(c.e_decomposition, c),
        **further,
        "group (0.1 Å)": lambda c: str(c.space_group_loose or ""),
        "known as": lambda c: c.known_as or "",
        "found": lambda c: str(c.n_found or ""),
        "sure": lambda c: c.confidence or "",
    }


_RELAXED: _Columns = {
    "structure": lambda c: c.id,
    "formula": lambda c: c.formula,
    "atoms": lambda c: str(c.n_atoms),
    "E, eV/atom": lambda c: _number(c.energy_per_atom),
    "fell by, eV/atom": lambda c: _number(None if c.relax_energy_change is None else -c.relax_energy_change),
    "moved by, Å": lambda c: _number(c.relax_rmsd),
    "steps": lambda c: str(c.relax_steps),
    "group (0.1 Å)": lambda c: str(c.space_group_loose or ""),
}
"""The columns of structures that were given and relaxed: nothing was found, and nothing placed on a hull."""


def _e_d_at(candidate: Candidate, level: str) -> str:
    energy = candidate.decomposition_energies.get(level)
    return _number(energy, candidate.unplaced_at == level) + _mark(energy, candidate)


def _mark(energy: float | None, candidate: Candidate) -> str:
    """Return what stands behind a decomposition energy: a mark where it is doubtful."""
    return _DOUBTFUL if energy is not None and candidate.hull_warning else ""


def _doubts(shown: Sequence[Candidate]) -> Iterator[str]:
    """Yield a line for each doubt about the candidates shown, with the ids of those that it holds for."""
    names: dict[str, list[str]] = {}
    for c in shown:
        if c.hull_warning:
            names.setdefault(c.hull_warning, []).append(c.id)
    for warning, ids in names.items():
        yield f"{_DOUBTFUL.strip()} {'all rows' if 1 < len(ids) == len(shown) else _named(ids)}: {warning}"


def _named(ids: Sequence[str]) -> str:
    """Return the first few of some ids."""
    return f"{', '.join(ids[:_MOST_NAMED])}{' …' if len(ids) > _MOST_NAMED else ''}"


def _number(value: float | None, missed: bool = False) -> str:
    if value is None:
        return "not converged" if missed else ""
    return f"{round(value, 3) + 0.0:.3f}"  # no -0.000
