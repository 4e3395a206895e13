"""What a set of structures is like inside, as one object with tables of numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from chggen.analysis.environments import Environments, environments
from chggen.analysis.long_range_order import LongRangeOrder, long_range_order
from chggen.analysis.pair_distances import PairDistances, pair_distances
from chggen.errors import InputError, counted
from chggen.io import writable_folder, write_text

if TYPE_CHECKING:
    from pymatgen.core import Structure

ANALYSIS_FILE: Final = "analysis.json"
"""File that holds an analysis, and that of the other set."""
_SHORTEST, _LONGEST = 1.0, 20.0  # Å
_DIGITS: Final = 5
_Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class StructureAnalysis:
    """What a set of structures is like inside.

    Attributes:
        n_structures: How many structures were looked at.
        pairs: Pair of elements, such as `Li-S`, to its radial distribution function.
        environments: Element to what its atoms have around them.
        order: How far order reaches.
        against: The analysis of the set that this one is compared with, if there is one.
    """

    n_structures: int
    pairs: dict[str, PairDistances]
    environments: dict[str, Environments]
    order: LongRangeOrder
    against: StructureAnalysis | None = None

    def __repr__(self) -> str:
        return f"StructureAnalysis({counted(self.n_structures, 'structure')}, pairs {', '.join(self.pairs)})"

    def pair_rows(self) -> list[_Row]:
        """Return a row for each pair of elements: `shortest` distance and `first_peak` in Å, `height` of the function.

        Where there is another set, `overlap` says how alike the functions are (`PairDistances.overlap`); it is None
        for what the other set has not.
        """
        rows = []
        for pair, one in self.pairs.items():
            row = {"pair": pair, "shortest": one.shortest, "first_peak": one.first_peak, "height": one.g.max()}
            if self.against is not None:
                other = self.against.pairs.get(pair)
                row["overlap"] = np.nan if other is None else one.overlap(other)
            rows.append(_plain(row))
        return rows

    def environment_rows(self) -> list[_Row]:
        """Return a row for each element: its `atoms`, and shares of `numbers` and `polyhedra` around them.

        Where there is another set, `overlap` says how much of the coordination numbers is the same, and
        `angle_overlap` how alike the angles are.
        """
        rows = []
        for symbol, one in self.environments.items():
            row: _Row = {"element": symbol, "atoms": one.atoms, "mean_number": one.mean_number}
            row |= {"numbers": one.numbers, "polyhedra": one.polyhedra, "neighbors": one.neighbors}
            if self.against is not None:
                other = self.against.environments.get(symbol)
                row["overlap"] = np.nan if other is None else one.overlap(other)
                row["angle_overlap"] = np.nan if other is None else one.angle_overlap(other)
            rows.append(_plain(row))
        return rows

    def order_row(self) -> _Row:
        """Return the numbers of the long-range order: `strongest`, `half`, `independent` (`LongRangeOrder`)."""
        return {name: _plain(getattr(self.order, name)) for name in ("strongest", "half", "independent")}

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers in plain types, functions as lists."""
        return {
            "n_structures": self.n_structures,
            "pairs": self.pair_rows(),
            "environments": self.environment_rows(),
            "order": self.order_row(),
            "r": _plain(next(iter(self.pairs.values())).r),
            "g": _plain({pair: one.g for pair, one in self.pairs.items()}),
            "angles": _plain({symbol: one.angles for symbol, one in self.environments.items()}),
            "q": _plain(self.order.q),
            "structure_factor": _plain(self.order.intensity),
            **({} if self.against is None else {"against": self.against.to_dict()}),
        }


def analyze_structures(
    structures: Sequence[Structure],
    against: Sequence[Structure] | None = None,
    cutoff: float = 8.0,
) -> StructureAnalysis:
    """Look at what structures are like inside.

    Args:
        structures: Ordered crystals. Oxidation states are not heeded.
        against: Others to compare with.
        cutoff: Longest distance of the radial distribution functions, Å.

    Raises:
        InputError: There are no structures, one has partially occupied sites, or the cutoff is out of its bounds.
    """
    if not (isinstance(cutoff, (int, float)) and _SHORTEST <= cutoff <= _LONGEST):
        raise InputError(f"cutoff must be a distance from {_SHORTEST:g} to {_LONGEST:g} Å, got {cutoff!r:.40}")
    if not structures:
        raise InputError("no structures to analyze; expected at least one")
    for structure in structures:
        if not structure.is_ordered:
            name = structure.composition.reduced_formula
            raise InputError(f"{name} has partially occupied sites, expected one element on each; order it first")
    other = None if against is None else analyze_structures(against, None, cutoff)
    return StructureAnalysis(
        n_structures=len(structures),
        pairs=pair_distances(structures, cutoff),
        environments=environments(structures),
        order=long_range_order(structures),
        against=other,
    )


def write_analysis(analysis: StructureAnalysis, folder: Path) -> Path:
    """Write an analysis to analysis.json, with that of the other set, if there is one, below `against`.

    Args:
        analysis: The analysis.
        folder: Folder for the file, made where it does not exist.

    Returns:
        The path of the file.

    Raises:
        InputError: The folder cannot be written to.
    """
    write_text(writable_folder(folder) / ANALYSIS_FILE, json.dumps(analysis.to_dict()) + "\n")
    return folder / ANALYSIS_FILE


def _plain(value: Any) -> Any:
    """Return numbers in plain types, rounded, NaN as None, in whatever holds them."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, np.ndarray):
        return [_plain(one) for one in value.tolist()]
    if isinstance(value, float):
        return None if np.isnan(value) else round(float(value), _DIGITS)
    return value
