"""summary.csv, a row for each candidate."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from chggen.results.candidate import SUMMARY_COLUMNS, Candidate


def summary_text(candidates: Sequence[Candidate]) -> str:
    """summary.csv: the contract's columns, a row a candidate; numbers rounded to what is meaningful."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, SUMMARY_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for candidate in candidates:
        row = candidate.summary_row()
        writer.writerow({k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()})
    return buffer.getvalue()
