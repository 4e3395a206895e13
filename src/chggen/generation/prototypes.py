"""Prototypes of known crystals, ranked for the species at hand: what the seed source `prototype` starts from.

A prototype is a space group, its Wyckoff positions with free coordinates and axis ratios, without volume or elements.
Its slots are the species of a primitive cell; the elements known to fill them say how well others would.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any, Final

import numpy as np

from chggen.crystals import SYMBOLS
from chggen.errors import InputError

TABLE: Final = Path(__file__).parents[1] / "data" / "prototypes.npz"
FORMAT: Final = 2
_COMMON: Final = 0.2  # log-odds that a prototype gains with the logarithm of how many fillings of it are known
_UNSTABLE: Final = 8.0  # log-odds that it loses for each eV/atom of the lowest of its crystals above the hull
_MOST_UNSTABLE: Final = 0.5  # eV/atom, beyond which none are lost
_ENERGY_UNKNOWN: Final = 0.2  # eV/atom above the hull that count where no crystal's energy is known


@dataclass(frozen=True, kw_only=True)
class Prototype:
    """A prototype with species on its sites.

    number: international number of the space group; shape: b/a, c/a, α, β, γ (degrees) of its conventional cell;
    orbits: species, letter and free coordinates of each, the latter as symmetry.Position has them in the primitive
    cell of symmetry.setting; log_odds: log-odds that species as like as these fill it, the higher the better.
    """

    number: int
    shape: tuple[float, ...]
    orbits: tuple[tuple[str, str, tuple[float, ...]], ...]
    log_odds: float


@lru_cache(maxsize=64)
def _ranked(species: tuple[tuple[str, int], ...]) -> tuple[tuple[float, int, tuple[str, ...]], ...]:
    """Likeness, index and species by slot of every prototype of these counts, the likeliest first."""
    table, index = _table()
    by_count = sorted(species, key=lambda pair: (pair[1], pair[0]))
    counts = tuple(n for _, n in by_count)
    if counts not in index:  # before all orders of many species are looked at
        return ()
    alike = table["similarity"]
    found = []
    orders = [
        o for o in permutations(range(len(counts))) if all(counts[k] == n for k, n in zip(o, counts, strict=True))
    ]
    numbers = np.array([SYMBOLS.index(s) + 1 for s, _ in by_count])
    for i in index[counts]:
        fillings = _part(table, "filling", i).reshape(-1, len(counts))
        swaps = _part(table, "swap", i).reshape(-1, len(counts)).tolist()
        best: dict[tuple[int, ...], float] = {}
        for order in orders:
            log_odds = float(alike[numbers[list(order)], fillings].sum(axis=1).max())
            same = min([order, *(tuple(order[k] for k in swap) for swap in swaps)])
            best[same] = max(best.get(same, -math.inf), log_odds)
        prior = _COMMON * math.log(len(fillings)) - _UNSTABLE * float(table["above_hull"][i])
        found += [(-round(x + prior, 6), i, order) for order, x in best.items()]
    return tuple((-x, i, tuple(by_count[k][0] for k in order)) for x, i, order in sorted(found))


def count_prototypes(species: Mapping[str, int]) -> int:
    """How many prototypes hold the species of a primitive cell, each way to put them on the sites counted."""
    return len(_ranked(tuple(sorted(species.items()))))


def prototype_of(species: Mapping[str, int], rank: int) -> Prototype:
    """The prototype of that rank (0: the likeliest) for the species of a primitive cell.

    Prototypes are ranked by the log-odds, summed over the slots, that the species stand in for those of the most
    similar known filling, plus a bonus for prototypes that many fillings have, less a malus for those whose crystals
    are above the hull. Raises IndexError beyond the last.
    """
    log_odds, i, filling = _ranked(tuple(sorted(species.items())))[rank]
    table, _ = _table()
    slots, letters, free = (_part(table, f"orbit_{name}", i, "orbit") for name in ("slot", "letter", "free"))
    return Prototype(
        number=int(table["number"][i]),
        shape=tuple(table["shape"][i].tolist()),
        orbits=tuple(
            (filling[slot], chr(letter), tuple(row))
            for slot, letter, row in zip(slots.tolist(), letters.tolist(), (free / 10_000).tolist(), strict=True)
        ),
        log_odds=log_odds,
    )


def _part(table: Mapping[str, Any], name: str, i: int, starts: str = "") -> np.ndarray:
    """What belongs to prototype i."""
    start = table[f"{starts or name}_start"]
    return np.asarray(table[name][start[i] : start[i + 1]])


@lru_cache(maxsize=1)
def _table() -> tuple[dict[str, np.ndarray], dict[tuple[int, ...], Sequence[int]]]:
    """The table and the prototypes of each counts. Raises InputError when its format is another version's."""
    with np.load(TABLE) as file:
        table = {name: file[name] for name in file.files}
    if int(table["format"]) != FORMAT:
        raise InputError(f"the table of prototypes has format {table['format']}, expected {FORMAT}; reinstall chggen")
    above_hull = np.nan_to_num(table["above_hull"].astype(float), nan=_ENERGY_UNKNOWN)
    table["above_hull"] = np.clip(above_hull, 0, _MOST_UNSTABLE)
    index: dict[tuple[int, ...], list[int]] = {}
    counts, start = table["slot_count"].tolist(), table["slot_start"].tolist()
    for i, (first, last) in enumerate(pairwise(start)):
        index.setdefault(tuple(counts[first:last]), []).append(i)
    return table, {key: tuple(found) for key, found in index.items()}
