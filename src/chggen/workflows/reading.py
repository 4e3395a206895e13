"""The candidates of a results folder, as the run returned them."""

from __future__ import annotations

from pathlib import Path

from chggen.campaign import with_duplicates
from chggen.results import Candidate, has_tables, ranked, read_candidates, summary_order


def read_results(folder: Path) -> list[Candidate]:
    """Read the candidates of a results folder in the order in which the run returned them. Nothing is written.

    Args:
        folder: A results folder. A run may be under way there, or have been stopped.

    Returns:
        The candidates, best first, failed ones last; of a run that did not end, duplicates are looked for now.
        Structures that were given and relaxed stand in the order given, or by name as long as the run has not ended.

    Raises:
        InputError: The folder holds no results, or its database cannot be read.
    """
    candidates = read_candidates(folder)
    if has_tables(folder):
        place = summary_order(folder)
        return sorted(candidates, key=lambda c: place.get(c.id, len(place)))
    return candidates if all(c.stage == "relax" for c in candidates) else with_duplicates(ranked(candidates))
