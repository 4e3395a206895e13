"""Which space groups, Wyckoff positions and cell shapes known crystals have: what symmetric seeds are drawn from."""

from __future__ import annotations

import gzip
import json
import math
import re
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from string import ascii_lowercase
from typing import Final

import numpy as np

from chggen.generation.random_cells import conventional_parameters, family_of

TABLE: Final = Path(__file__).parents[1] / "data" / "space_groups.json.gz"
_FORMAT: Final = 1
_SIMILAR: Final = 0.25  # relative difference of atom counts whose space groups stand in for those of a rare formula
_PRIOR: Final = 5.0  # crystals that a stoichiometry needs before it outweighs crystals of its size


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """A space group and, where known crystals say so, the letters of the positions of each species."""

    number: int
    letters: Mapping[str, str] | None = None


def roles(species: Mapping[str, int]) -> list[str]:
    """Species in the order that formulas are compared in: the fewest first, of equal counts the electropositive."""
    return sorted(species, key=lambda s: (species[s], _electronegativity(s), s))


def formula_key(species: Mapping[str, int]) -> str:
    """Anonymous formula and formula units of a primitive cell: ZnP2S6 twice is `1a2b6cx2`.

    Counts rise; the letters order the species by electronegativity, which tells ZnP2S6 from K2PtCl6, `1b2a6c`.
    """
    units = math.gcd(*species.values())
    rank = sorted(species, key=lambda s: (_electronegativity(s), s))
    parts = [f"{species[s] // units}{ascii_lowercase[rank.index(s)]}" for s in roles(species)]
    return f"{''.join(parts)}x{units}"


@lru_cache(maxsize=128)
def _electronegativity(symbol: str) -> float:
    """Pauling's; noble gases, which have none, last."""
    from pymatgen.core import Element

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = Element(symbol).X
    return found if found > 0 else 5.0


@lru_cache(maxsize=1)
def _table() -> tuple[dict[str, list[tuple[int, str, int]]], dict[int, list[list[float]]]]:
    found = json.loads(gzip.decompress(TABLE.read_bytes()))
    if found.get("format") != _FORMAT:
        raise ValueError(f"{TABLE.name} has format {found.get('format')}, expected {_FORMAT}; reinstall chggen")
    assignments = found["assignments"]
    return {key: [tuple(row) for row in rows] for key, rows in assignments.items()}, {
        int(n): shapes for n, shapes in found["shapes"].items()
    }


@lru_cache(maxsize=1)
def _by_size() -> dict[int, Counter[int]]:
    """Atoms in the primitive cell → how many known crystals of each space group."""
    sizes: dict[int, Counter[int]] = {}
    for key, rows in _table()[0].items():
        formula, units = key.rsplit("x", 1)
        n_atoms = int(units) * sum(map(int, re.findall(r"[0-9]+", formula)))
        for number, _, count in rows:
            sizes.setdefault(n_atoms, Counter())[number] += count
    return sizes


def count_known(species: Mapping[str, int]) -> int:
    """How many known crystals have the stoichiometry and size of a primitive cell."""
    return sum(count for _, _, count in _table()[0].get(formula_key(species), []))


def draw_assignment(species: Mapping[str, int], rng: np.random.Generator, number: int | None = None) -> Assignment:
    """Space group and letters for the species of a primitive cell, as known crystals have them.

    By the square root of how many have them, so that the rarer are tried too. Crystals of the same stoichiometry and
    size with probability n/(n + 5), n being how many of them are known; else the space group of any crystal of about
    the size, letters left open. number: the only space group to be drawn.
    """
    rows = [row for row in _table()[0].get(formula_key(species), []) if number in (None, row[0])]
    known = sum(count for _, _, count in rows)
    if rng.random() < known / (known + _PRIOR):
        weights = np.sqrt([count for _, _, count in rows])
        n, letters, _ = rows[int(rng.choice(len(rows), p=weights / weights.sum()))]
        return Assignment(number=n, letters=dict(zip(roles(species), letters.split("."), strict=True)))
    if number is not None:
        return Assignment(number=number)
    size = sum(species.values())
    near: Counter[int] = Counter()
    for n_atoms, counts in _by_size().items():
        if abs(n_atoms - size) <= max(1, _SIMILAR * size):
            near.update(counts)
    near = near or Counter(number for counts in _by_size().values() for number in counts)
    numbers = sorted(near)
    total = sum(near.values())
    return Assignment(number=int(rng.choice(numbers, p=[near[n] / total for n in numbers])))


def draw_shape(number: int, rhombohedral: bool, rng: np.random.Generator) -> np.ndarray:
    """a, b, c (a = 1) and α, β, γ (degrees) of a conventional cell of a space group, hexagonal axes if rhombohedral.

    Half of them are cells of known crystals of the group, their axes changed by a few per cent; the others are random.
    """
    known = _table()[1].get(number, [])
    if known and rng.random() < 0.5:
        shape = np.array([1.0, *known[int(rng.integers(len(known)))]])
        return soften_shape(shape, number, rng)
    family = family_of(number, rhombohedral)
    shape = conventional_parameters(family, rng)
    if family == "rhombohedral":
        half = np.deg2rad(shape[3]) / 2
        ratio = math.sqrt(3 * (1 + 2 * math.cos(2 * half))) / (2 * math.sin(half))
        return np.array([1, 1, ratio, 90, 90, 120.0])
    return shape


def soften_shape(shape: np.ndarray, number: int, rng: np.random.Generator) -> np.ndarray:
    """A shape (hexagonal axes if rhombohedral) with its free axis ratios changed by 3 %, what the group fixes exact."""
    b, c = shape[1:3] * np.exp(0.03 * rng.standard_normal(2))
    match family_of(number, False):
        case "cubic":
            return np.array([1, 1, 1, 90, 90, 90.0])
        case "tetragonal":
            return np.array([1, 1, c, 90, 90, 90.0])
        case "hexagonal":
            return np.array([1, 1, c, 90, 90, 120.0])
        case "orthorhombic":
            return np.array([1, b, c, 90, 90, 90.0])
        case "monoclinic":
            return np.array([1, b, c, 90, shape[4], 90.0])
    return np.array([1, b, c, *shape[3:]])
