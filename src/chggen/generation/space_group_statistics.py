"""Statistics of the space groups, Wyckoff positions and cell shapes of known crystals, and draws from them."""

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
_SIMILAR: Final = 0.25  # relative difference of atom counts within which crystals stand in for a rare stoichiometry
_PRIOR: Final = 5.0  # number of known crystals at which a stoichiometry is drawn from as often as crystals of its size
_KNOWN_SHAPES: Final = 0.5  # share of the drawn shapes that are those of known crystals
_SOFTNESS: Final = 0.03  # relative standard deviation by which axis ratios of known crystals are changed


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """A space group and, if a known crystal was drawn, the Wyckoff positions of each species.

    Attributes:
        number: International number of the space group.
        letters: Element symbol to the letters of its Wyckoff positions, one letter for each orbit. None leaves the
            positions open.
    """

    number: int
    letters: Mapping[str, str] | None = None


def roles(species: Mapping[str, int]) -> list[str]:
    """Sort species into the order in which formulas are compared.

    Args:
        species: Element symbol to count.

    Returns:
        The symbols, those with the lowest counts first. Of equal counts the more electropositive comes first.
    """
    return sorted(species, key=lambda s: (species[s], _electronegativity(s), s))


def formula_key(species: Mapping[str, int]) -> str:
    """Return the anonymous formula and the number of formula units of a primitive cell.

    Counts are in rising order. Each is followed by a letter that tells where its species stands in electronegativity.
    This tells ZnP2S6 (`1a2b6c`) from K2PtCl6 (`1b2a6c`).

    Args:
        species: Element symbol to number of atoms in the primitive cell.

    Returns:
        The key, such as `1a2b6cx2` for two formula units of ZnP2S6.
    """
    units = math.gcd(*species.values())
    rank = sorted(species, key=lambda s: (_electronegativity(s), s))
    parts = [f"{species[s] // units}{ascii_lowercase[rank.index(s)]}" for s in roles(species)]
    return f"{''.join(parts)}x{units}"


@lru_cache(maxsize=128)
def _electronegativity(symbol: str) -> float:
    """Return Pauling's electronegativity. Noble gases have none and get a value above all others."""
    from pymatgen.core import Element

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chi = Element(symbol).X
    return chi if chi > 0 else 5.0


@lru_cache(maxsize=1)
def _table() -> tuple[dict[str, list[tuple[int, str, int]]], dict[int, list[list[float]]]]:
    """Return assignments (space group, letters, number of crystals) by formula key, and cell shapes by space group."""
    content = json.loads(gzip.decompress(TABLE.read_bytes()))
    if content.get("format") != _FORMAT:
        raise ValueError(f"{TABLE.name} has format {content.get('format')}, expected {_FORMAT}; reinstall chggen")
    assignments = {key: [tuple(row) for row in rows] for key, rows in content["assignments"].items()}
    return assignments, {int(number): shapes for number, shapes in content["shapes"].items()}


@lru_cache(maxsize=1)
def _by_size() -> dict[int, Counter[int]]:
    """Return, by the number of atoms in the primitive cell, how many known crystals have each space group."""
    sizes: dict[int, Counter[int]] = {}
    for key, rows in _table()[0].items():
        formula, units = key.rsplit("x", 1)
        n_atoms = int(units) * sum(map(int, re.findall(r"[0-9]+", formula)))
        for number, _, count in rows:
            sizes.setdefault(n_atoms, Counter())[number] += count
    return sizes


def count_known(species: Mapping[str, int]) -> int:
    """Count the known crystals that have the stoichiometry and the size of a primitive cell.

    Args:
        species: Element symbol to number of atoms in the primitive cell.

    Returns:
        Their number.
    """
    return sum(count for _, _, count in _table()[0].get(formula_key(species), []))


def draw_assignment(species: Mapping[str, int], rng: np.random.Generator, number: int | None = None) -> Assignment:
    """Draw a space group and Wyckoff positions for the species of a primitive cell, as known crystals have them.

    With probability n/(n + 5), the draw is from the n known crystals of the same stoichiometry and size. Each pair of
    space group and positions is then weighted by the square root of the number of crystals that have it, so that rare
    ones are tried as well. Otherwise the space group of any crystal of about the same size is drawn, with positions
    left open.

    Args:
        species: Element symbol to number of atoms in the primitive cell.
        rng: Random generator.
        number: International number of the only space group that may be drawn. None allows all.

    Returns:
        The space group and the positions.
    """
    rows = [row for row in _table()[0].get(formula_key(species), []) if number in (None, row[0])]
    known = sum(count for _, _, count in rows)
    if rng.random() < known / (known + _PRIOR):
        weights = np.sqrt([count for _, _, count in rows])
        drawn, letters, _ = rows[int(rng.choice(len(rows), p=weights / weights.sum()))]
        return Assignment(number=drawn, letters=dict(zip(roles(species), letters.split("."), strict=True)))
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
    """Draw the shape of a conventional cell of a space group.

    Half of the shapes are those of known crystals of the group, with axis ratios changed by a few per cent. The others
    are random shapes of the Bravais family.

    Args:
        number: International number of the space group.
        rhombohedral: Whether the group's symbol begins with R.
        rng: Random generator.

    Returns:
        a, b, c (with a = 1) and α, β, γ (degrees), of shape (6,). Rhombohedral groups have hexagonal axes.
    """
    known = _table()[1].get(number, [])
    if known and rng.random() < _KNOWN_SHAPES:
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
    """Change the free axis ratios of a cell shape at random by 3 %. What the space group fixes is made exact.

    Args:
        shape: a, b, c (with a = 1) and α, β, γ (degrees), of shape (6,), with hexagonal axes for a rhombohedral group.
        number: International number of the space group.
        rng: Random generator.

    Returns:
        The changed shape, of shape (6,).
    """
    b, c = shape[1:3] * np.exp(_SOFTNESS * rng.standard_normal(2))
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
