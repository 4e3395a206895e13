"""Why candidates failed, counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from chggen.results.candidate import Candidate


def reasons_of_failure(candidates: Iterable[Candidate]) -> list[tuple[str, int]]:
    """Return stage and reason of failed candidates with their numbers, the commonest first.

    Reasons that differ in what stands behind their colon, as `overlap: O–O 0.15 Å`, count as one, `overlap`.

    Args:
        candidates: Candidates. Those that have not failed are left out.
    """
    kinds: dict[str, list[str]] = defaultdict(list)
    for c in candidates:
        if c.status == "failed":
            kinds[f"{c.failed_at}: {str(c.reason).split(':')[0]}"].append(f"{c.failed_at}: {c.reason}")
    found = [(texts[0] if len(set(texts)) == 1 else kind, len(texts)) for kind, texts in kinds.items()]
    return sorted(found, key=lambda entry: -entry[1])
