"""Candidates: a list of candidates that shows itself as a table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

from chggen.errors import InputError
from chggen.results.candidate import Candidate
from chggen.results.html import candidates_html
from chggen.results.summary import summary_rows

if TYPE_CHECKING:
    from pandas import DataFrame

_MOST_SHOWN = 10


class Candidates(list[Candidate]):
    """A list of candidates: what runs return, and what `chggen.open` reads.

    It is a list in all respects. A notebook shows it as a table with pictures.
    """

    def __repr__(self) -> str:
        lines = [repr(c) for c in list.__iter__(self)]
        if len(lines) > _MOST_SHOWN:
            lines[_MOST_SHOWN:] = [f"… {len(lines) - _MOST_SHOWN} more"]
        return "[" + ",\n ".join(lines) + "]"

    def _repr_html_(self) -> str:
        return candidates_html(self)

    @overload
    def __getitem__(self, place: SupportsIndex) -> Candidate: ...
    @overload
    def __getitem__(self, place: slice) -> Candidates: ...
    def __getitem__(self, place: SupportsIndex | slice) -> Candidate | Candidates:
        """Return a candidate, or several as the same kind of list."""
        found: Any = super().__getitem__(place)
        return Candidates(found) if isinstance(place, slice) else found

    def __add__(self, others: Iterable[Any]) -> Candidates:  # type: ignore[override]
        """Return the candidates of both lists."""
        return Candidates([*self, *others])

    def to_dataframe(self) -> DataFrame:
        """Return the rows of summary.csv as a pandas data frame, with `structure` as its last column.

        Returns:
            A row for each candidate, also for failed ones, in the same order; the id is the index.

        Raises:
            InputError: pandas is not installed.
        """
        try:
            from pandas import DataFrame
        except ImportError:
            raise InputError("a data frame needs pandas, which is not installed; run `pip install pandas`") from None
        rows = summary_rows(self)
        for row, candidate in zip(rows, self, strict=True):
            row["structure"] = candidate.structure
        frame = DataFrame(rows)
        return frame.set_index("id") if rows else frame
