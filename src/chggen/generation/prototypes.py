"""Prototypes of known crystals, ranked by how likely they are for given species.

A prototype is a space group, Wyckoff positions with their free coordinates, and axis ratios. It has neither a volume
nor elements. Its slots are the different species of its primitive cell. A filling puts an element into each slot. The
fillings of known crystals tell how likely other elements are.
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
_COMMON: Final = 0.2  # log-odds that a prototype gains with the logarithm of the number of its known fillings
_UNSTABLE: Final = 8.0  # log-odds that it loses for each eV/atom that its lowest crystal lies above the hull
_MOST_UNSTABLE: Final = 0.5  # eV/atom above the hull, beyond which no more are lost
_ENERGY_UNKNOWN: Final = 0.2  # eV/atom above the hull, assumed where no crystal's energy is known


@dataclass(frozen=True, kw_only=True)
class Prototype:
    """A prototype with species on its sites.

    Attributes:
        number: International number of the space group.
        shape: b/a, c/a and α, β, γ (degrees) of the conventional cell.
        orbits: Species, Wyckoff letter and free coordinates of each orbit. The free coordinates are those of
            `symmetry.WyckoffPosition` in the primitive cell of `symmetry.setting`.
        log_odds: Log-odds that these species fill the prototype (see `prototype_of`). Higher is likelier.
    """

    number: int
    shape: tuple[float, ...]
    orbits: tuple[tuple[str, str, tuple[float, ...]], ...]
    log_odds: float


@lru_cache(maxsize=64)
def _ranked(species: tuple[tuple[str, int], ...]) -> tuple[tuple[float, int, tuple[str, ...]], ...]:
    """Return log-odds, index and species by slot of every prototype with these counts, the likeliest first.

    Species can fill the slots in several orders. Orders that symmetry takes into one another count once.
    """
    table, index = _table()
    by_count = sorted(species, key=lambda pair: (pair[1], pair[0]))
    counts = tuple(n for _, n in by_count)
    if counts not in index:  # going through all orders of many species would take long
        return ()
    similarity = table["similarity"]
    ranked = []
    orders = [
        order
        for order in permutations(range(len(counts)))
        if all(counts[k] == n for k, n in zip(order, counts, strict=True))
    ]
    numbers = np.array([SYMBOLS.index(s) + 1 for s, _ in by_count])
    for i in index[counts]:
        fillings = _part(table, "filling", i).reshape(-1, len(counts))
        swaps = _part(table, "swap", i).reshape(-1, len(counts)).tolist()
        best: dict[tuple[int, ...], float] = {}
        for order in orders:
            log_odds = float(similarity[numbers[list(order)], fillings].sum(axis=1).max())
            same = min([order, *(tuple(order[k] for k in swap) for swap in swaps)])
            best[same] = max(best.get(same, -math.inf), log_odds)
        prior = _COMMON * math.log(len(fillings)) - _UNSTABLE * float(table["above_hull"][i])
        ranked += [(-round(log_odds + prior, 6), i, order) for order, log_odds in best.items()]
    return tuple((-cost, i, tuple(by_count[k][0] for k in order)) for cost, i, order in sorted(ranked))


def count_prototypes(species: Mapping[str, int]) -> int:
    """Count the prototypes that hold the species of a primitive cell.

    Each distinct way to put the species on the sites of a prototype counts.

    Args:
        species: Element symbol to number of atoms in the primitive cell.

    Returns:
        Their number. `prototype_of` takes ranks below it.
    """
    return len(_ranked(tuple(sorted(species.items()))))


def log_odds_of(species: Mapping[str, int]) -> list[float]:
    """Return the log-odds of all prototypes that hold the species of a primitive cell, by rank.

    Args:
        species: Element symbol to number of atoms in the primitive cell.
    """
    return [log_odds for log_odds, _, _ in _ranked(tuple(sorted(species.items())))]


def prototype_of(species: Mapping[str, int], rank: int) -> Prototype:
    """Return one of the prototypes that hold the species of a primitive cell.

    Prototypes are ranked by log-odds. For each slot, the log-odds are taken that the species can replace the element of
    a known crystal, and summed over the slots. The known crystal that gives the highest sum counts. To this is added
    0.2 times the logarithm of the number of known fillings. Subtracted are 8 for each eV/atom that the prototype's
    lowest crystal lies above the hull, up to 0.5 eV/atom.

    Args:
        species: Element symbol to number of atoms in the primitive cell.
        rank: Number of prototypes that are likelier. 0 asks for the likeliest.

    Returns:
        The prototype with the species on its sites.

    Raises:
        IndexError: There are not so many prototypes.
        InputError: The table of prototypes is of another format than this version reads.
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
    """Return the rows of one array that belong to prototype i; `starts` names the array of bounds if it is another."""
    start = table[f"{starts or name}_start"]
    return np.asarray(table[name][start[i] : start[i + 1]])


@lru_cache(maxsize=1)
def _table() -> tuple[dict[str, np.ndarray], dict[tuple[int, ...], Sequence[int]]]:
    """Return the table, and the indices of its prototypes by the counts of their slots.

    Raises InputError if the table is of another format than this version reads.
    """
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
    return table, {counts_of: tuple(indices) for counts_of, indices in index.items()}
