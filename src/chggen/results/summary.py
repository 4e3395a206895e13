"""summary.csv: a row for each candidate, also for the failed ones."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from chggen.results.candidate import Candidate
from chggen.results.likeliest import answers

_BEFORE: Final = (
    "id", "parent", "stage", "status", "failed_at", "reason", "formula", "n_atoms", "seed", "seed_source",
    "space_group", "space_group_loose", "framework_symprec", "framework_rms", "framework_max", "energy_per_atom",
    "level", "e_decomposition", "decomposition_products",
)  # fmt: skip
_AFTER: Final = (
    "known_as", "volume_per_atom", "relax_energy_change", "relax_rmsd", "relax_steps", "converged", "duplicate_of",
    "n_found",
)  # fmt: skip
_FURTHER: Final = (  # added since, behind those that others count on
    "space_group_symbol", "volume", "density", "confidence", "found_by", "prototype_log_odds", "hull_warning",
    "unplaced_at", "e_insertion",
)  # fmt: skip
_FORMULA_SIGNS: Final = ("=", "+", "-", "@", "\t", "\n", "＝", "＋", "－", "＠")


def further_levels(candidates: Iterable[Candidate]) -> tuple[str, ...]:
    """Return the levels at which candidates were relaxed beyond those of their run, in the order they were reached.

    Args:
        candidates: Candidates of a run.
    """
    reached = (level for c in candidates for level in (*c.energies, c.unplaced_at) if level and level != c.level)
    return tuple(dict.fromkeys(reached))


def summary_row(candidate: Candidate, levels: Sequence[str] = (), answer: bool | None = None) -> dict[str, Any]:
    """Return the row of a candidate in summary.csv.

    Args:
        candidate: The candidate.
        levels: Further levels; each has two columns, `energy_per_atom_LEVEL` and `e_decomposition_LEVEL`.
        answer: Whether it is the likeliest crystal of its formula (`answers`); None where that is not known.

    Returns:
        Column to value, in the order of the file.
    """
    row = {name: getattr(candidate, name) for name in _BEFORE}
    for level in levels:
        row[f"energy_per_atom_{level}"] = candidate.energies.get(level)
        row[f"e_decomposition_{level}"] = candidate.decomposition_energies.get(level)
    row |= {name: getattr(candidate, name) for name in (*_AFTER, *_FURTHER)}
    return row | {"answer": answer, "probability": candidate.probability}


def summary_rows(candidates: Sequence[Candidate], levels: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return the rows of candidates in summary.csv, numbers in full.

    Args:
        candidates: All candidates of a run, in the order of their rows.
        levels: Further levels that have columns even where no candidate reached them.
    """
    every = tuple(dict.fromkeys((*levels, *further_levels(candidates))))
    likeliest = answers(candidates)
    return [summary_row(c, every, is_answer(c, likeliest)) for c in candidates]


def is_answer(candidate: Candidate, likeliest: Mapping[str, Candidate]) -> bool | None:
    """Return what the column `answer` says of a candidate.

    Args:
        candidate: A candidate of a finished run.
        likeliest: Formula to its likeliest candidate (`answers`).

    Returns:
        Whether it is the likeliest crystal of its formula. None where it failed, and where none was looked for, as
        among structures that were given and relaxed.
    """
    answer = likeliest.get(candidate.formula)
    return None if candidate.status != "ok" or answer is None else candidate.id == answer.id


def summary_text(candidates: Sequence[Candidate], levels: Sequence[str] = ()) -> str:
    """Return the text of summary.csv: a row a candidate, numbers rounded to 1e-5.

    Text that a spreadsheet would take for a formula, since it begins with `=`, `+`, `-`, `@` or a tab, gets an
    apostrophe in front.

    Args:
        candidates: The candidates in the order of their rows.
        levels: Further levels that have columns even where no candidate reached them.
    """
    every = tuple(dict.fromkeys((*levels, *further_levels(candidates))))
    blank = Candidate(id="", stage="", formula="", seed=0)
    return csv_text(summary_rows(candidates, every), list(summary_row(blank, every)))


def csv_text(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> str:
    """Return rows as CSV with a line of heads, cells as `summary_text` writes them.

    Args:
        rows: Column to value.
        columns: Columns that come first, whether or not rows have them; the others come as they are met.
    """
    buffer = io.StringIO()
    names = list(dict.fromkeys((*columns, *(name for row in rows for name in row))))
    writer = csv.DictWriter(buffer, names, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: _cell(v) for k, v in row.items()})
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    """Return a value as it stands in a cell: numbers rounded, text that is no formula."""
    if isinstance(value, str):
        value = value.replace("\r\n", "\n").replace("\r", "\n")  # which csv leaves without quotes
        return f"'{value}" if value.startswith(_FORMULA_SIGNS) else value
    return round(value, 5) if isinstance(value, float) else value


def plain_cell(cell: str) -> str:
    """Return the text that a cell of summary.csv stands for, without the apostrophe that keeps it from being a formula.

    Args:
        cell: The content of the cell.
    """
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA_SIGNS) else cell
