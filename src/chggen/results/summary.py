"""summary.csv: a row for each candidate, also for the failed ones."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, Final

from chggen.results.candidate import Candidate

_BEFORE: Final = (
    "id", "parent", "stage", "status", "failed_at", "reason", "formula", "n_atoms", "seed", "seed_source",
    "space_group", "space_group_loose", "framework_symprec", "framework_rms", "framework_max", "energy_per_atom",
    "level", "e_decomposition", "decomposition_products", "hull_warning",
)  # fmt: skip
_AFTER: Final = (
    "known_as", "volume_per_atom", "relax_energy_change", "relax_rmsd", "relax_steps", "converged", "duplicate_of",
    "n_found",
)  # fmt: skip


def further_levels(candidates: Iterable[Candidate]) -> tuple[str, ...]:
    """Return the levels at which candidates were relaxed beyond those of their run, in the order they were reached.

    Args:
        candidates: Candidates of a run.
    """
    reached = (level for c in candidates for level in (*c.energies, c.unplaced_at) if level and level != c.level)
    return tuple(dict.fromkeys(reached))


def summary_row(candidate: Candidate, levels: Sequence[str] = ()) -> dict[str, Any]:
    """Return the row of a candidate in summary.csv.

    Args:
        candidate: The candidate.
        levels: Further levels; each has two columns, `energy_per_atom_LEVEL` and `e_decomposition_LEVEL`.

    Returns:
        Column to value, in the order of the file.
    """
    row = {name: getattr(candidate, name) for name in _BEFORE}
    for level in levels:
        row[f"energy_per_atom_{level}"] = candidate.energies.get(level)
        row[f"e_decomposition_{level}"] = candidate.decomposition_energies.get(level)
    return row | {name: getattr(candidate, name) for name in _AFTER}


def summary_text(candidates: Sequence[Candidate], levels: Sequence[str] = ()) -> str:
    """Return the text of summary.csv: a row a candidate, numbers rounded to 1e-5.

    Args:
        candidates: The candidates in the order of their rows.
        levels: Further levels that have columns even where no candidate reached them.
    """
    every = tuple(dict.fromkeys((*levels, *further_levels(candidates))))
    blank = Candidate(id="", stage="", formula="", seed=0)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(summary_row(blank, every)), lineterminator="\n")
    writer.writeheader()
    for candidate in candidates:
        row = summary_row(candidate, every)
        writer.writerow({k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()})
    return buffer.getvalue()
