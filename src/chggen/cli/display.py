"""What the command line shows at the end of a run: the ranked table, and what there is to say about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from chggen.campaign import left_symmetry
from chggen.cli.candidates_table import candidates_table
from chggen.errors import counted
from chggen.potential import level_named
from chggen.results import (
    ANSWER,
    DOUBTFUL,
    Candidate,
    answers,
    disagreements,
    likelier,
    probability_text,
    reasons,
    reasons_of_failure,
)
from chggen.stability import STATIC

_MOST_ROWS = 20
_MOST_NAMED = 5  # candidates that a line below the table names
_WIDTH_OF_FILES = 140  # characters, where no terminal sets the width


def show(candidates: Sequence[Candidate], folder: Path, console: Console | None = None) -> None:
    """Show the best distinct candidates as a table, and where everything is.

    Args:
        candidates: The ranked candidates of a run.
        folder: Its results folder.
        console: Where; None: stdout, as wide as its terminal.
    """
    distinct = [c for c in candidates if c.status == "ok" and c.duplicate_of is None]
    relaxed = bool(candidates) and all(c.stage == "relax" for c in candidates)
    compared = any(c.energies for c in distinct)  # without energies nothing is
    kind, thing = ("relaxed of", "structure") if relaxed else ("distinct of" if compared else "good of", "candidate")
    also = "" if relaxed or compared or not distinct else ", not compared for duplicates"
    console = console or _stdout()
    title = f"{len(distinct)} {kind} {counted(len(candidates), thing)}{also}"
    likeliest = {c.id for c in answers(candidates).values()}
    console.print(candidates_table(title, candidates, distinct[:_MOST_ROWS], likeliest, console.width))
    if any(c.id in likeliest for c in distinct[:_MOST_ROWS]):
        console.print(f"{ANSWER} the likeliest crystal of its formula")
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
    for name, told in list(reasons(distinct).items())[:_MOST_NAMED]:
        console.print(f"{name} is the crystal with {_chance(distinct, name)}: {told}", markup=False, soft_wrap=True)
    if any(STATIC in (c.decomposition_products or "") for c in distinct):
        console.print("some stand on known phases that are not relaxed with the potential, (static) among the products")
    energetic = [c for c in distinct if c.energies and not c.decomposition_energies]
    given = sum(c.stage == "relax" for c in energetic)
    if given and not relaxed:
        console.print(f"{given} of relax not placed on a hull; `chggen hull` does that", markup=False)
    unplaced = [c for c in energetic if c.stage != "relax" and not c.hull_warning]  # which says why
    for level in dict.fromkeys(c.level for c in unplaced):
        console.print(f"no decomposition energies: there are no reference energies of all elements at level {level}")
    if apart := disagreements(distinct):
        each = [f"{name} ({1000 * off:+.0f} meV/atom from {level})" for name, (level, off) in apart.items()]
        console.print(f"potentials disagree by more than 50 meV/atom: {_named(each)}", markup=False, soft_wrap=True)
    lacking = Counter(c.unplaced_at for c in candidates if c.unplaced_at is not None)
    for level, count in lacking.items():
        console.print(f"{counted(count, 'candidate')} got no energy at level {level}; log.txt says why", markup=False)
    bad = [c for c in candidates if c.status == "failed"]
    if bad and not distinct:
        reason, count = reasons_of_failure(bad)[0]
        console.print(f"nothing good was made; {count} of {len(bad)} failed at {reason}")
    if bad:
        console.print(f"{len(bad)} failed; their stages and reasons stand in summary.csv")
    console.print(f"results in {folder} (report.html, summary.csv, structures/)")


def _chance(shown: Sequence[Candidate], name: str) -> str:
    """Return how probable it is that the candidate of this id is the crystal."""
    return probability_text(next(c.probability or 0.0 for c in shown if c.id == name))


def _doubts(shown: Sequence[Candidate]) -> Iterator[str]:
    """Yield a line for each doubt about the candidates shown, with the ids of those that it holds for."""
    names: dict[str, list[str]] = {}
    for c in shown:
        if c.hull_warning:
            names.setdefault(c.hull_warning, []).append(c.id)
    for warning, ids in names.items():
        yield f"{DOUBTFUL} {'all rows' if 1 < len(ids) == len(shown) else _named(ids)}: {warning}"


def _named(ids: Sequence[str]) -> str:
    """Return the first few of some ids."""
    return f"{', '.join(ids[:_MOST_NAMED])}{' …' if len(ids) > _MOST_NAMED else ''}"


def _stdout() -> Console:
    console = Console()
    if not console.is_terminal:
        console.width = _WIDTH_OF_FILES
    return console
