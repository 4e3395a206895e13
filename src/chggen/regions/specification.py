"""Regions from words such as `z 12 17`, `sphere 0.5 0.5 0.5 4`, or `z 10 15 and not near Pt 2`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
from jaxtyping import Bool

from chggen.errors import InputError, counted
from chggen.regions.combined import BothOf, EitherOf, Without
from chggen.regions.protocol import Region
from chggen.regions.shapes import Box, Cylinder, Near, Slab, Sphere
from chggen.regions.vacuum import vacuum_gap

if TYPE_CHECKING:
    from pymatgen.core import Structure

FORMS: Final = (
    "'z 12 17', 'plane 1 0 4 3 8', 'sphere 0.5 0.5 0.5 4', 'cylinder 0.5 0.5 0.5 z 3', 'box 0 1 0 1 0.4 0.6', "
    "'near Pt 2.5' or 'vacuum'"
)
_T = TypeVar("_T")
AXES: Final = {"x": 0, "y": 1, "z": 2}
"""Name of an axis of the cell to its number."""
_SPECIES: Final = re.compile(r"\s*([\w-]+)\s*:\s*(.*)", re.DOTALL)


def regions_of(texts: str | Sequence[str], structure: Structure) -> dict[str, Region]:
    """Return the region of each species that some texts give one.

    Args:
        texts: Regions in words, such as `z 12 17` for all species or `Li: z 12 17` for one. Several for the same
            species: what lies in any of them.
        structure: The structure that they are regions of.

    Returns:
        Element symbol, or name of a molecule, to region; an empty symbol stands for all without one of their own.

    Raises:
        InputError: A text is no region of this structure.
    """
    found: dict[str, Region] = {}
    for text in (texts,) if isinstance(texts, str) else texts:
        own = _SPECIES.fullmatch(text)
        symbol, words = (own[1], own[2]) if own else ("", text)
        region = region_of(words, structure)
        found[symbol] = EitherOf(structure.lattice, (found[symbol], region)) if symbol in found else region
    return found


def region_of(text: str, structure: Structure) -> Region:
    """Return the region that a text describes.

    Shapes are joined by `and` and `or`, of which `and` binds closer; `not` goes before a shape.

    - `x|y|z LOW HIGH`: between two heights in Å, along the normal of the other two axes.
    - `plane H K L LOW HIGH`: between two heights in Å, along the normal of a lattice plane.
    - `sphere X Y Z R`: within R Å of a point in fractional coordinates.
    - `cylinder X Y Z x|y|z R`: within R Å of the line through a point along an axis of the cell.
    - `box X0 X1 Y0 Y1 Z0 Z1`: between fractional coordinates.
    - `near ATOMS R`: within R Å of atoms, which are element symbols or numbers from 0, such as `near Pt,3-7 2.5`.
    - `vacuum`: the empty layer of a slab, 3 Å and more from its atoms.

    Args:
        text: The text.
        structure: The structure that it is a region of.

    Raises:
        InputError: The text is no region of this structure.
    """

    def shape(words: list[str]) -> Region:
        found = _shape(words, structure)
        if found is None:
            raise InputError(f"'{' '.join(words)}' is no region; expected {FORMS}, joined by and, or, not")
        return found

    lattice = structure.lattice
    return _joined(
        text,
        shape,
        lambda parts: EitherOf(lattice, tuple(parts)),
        lambda parts: BothOf(lattice, tuple(parts)),
        lambda part: Without(lattice, part),
    )


def atoms_in(text: str, structure: Structure) -> Bool[np.ndarray, "atoms"]:
    """Return which atoms of a structure a text chooses, by element, by number or by region.

    Args:
        text: As for `region_of`; a shape may also be atoms: symbols or numbers from 0, such as `Li` or `0,4-7`.
        structure: The structure.

    Raises:
        InputError: The text is neither.
    """

    def factor(words: list[str]) -> Bool[np.ndarray, "atoms"]:
        found = _shape(words, structure)
        if found is not None:
            return np.asarray(found.contains(structure.cart_coords), dtype=bool)
        if len(words) != 1:
            raise InputError(
                f"'{' '.join(words)}' chooses no atoms; expected symbols or numbers from 0 such as Li,4-7, or a region "
                f"such as {FORMS.split(', ')[0]} or {FORMS.split(', ')[2]}"
            )
        mask = np.zeros(len(structure), dtype=bool)
        mask[_numbers(words[0], structure)] = True
        return mask

    return _joined(
        text,
        factor,
        lambda parts: np.any(parts, axis=0),
        lambda parts: np.all(parts, axis=0),
        lambda part: ~part,
    )


def _joined(
    text: str,
    factor: Callable[[list[str]], _T],
    either: Callable[[list[_T]], _T],
    both: Callable[[list[_T]], _T],
    without: Callable[[_T], _T],
) -> _T:
    """Return what a text of shapes, joined by and, or, not, stands for. Raises InputError."""

    def term(words: list[str]) -> _T:
        if words and words[0] == "not":
            return without(term(words[1:]))
        if not words:
            raise InputError(f"'{text.strip()}' is no region; expected {FORMS}, joined by and, or, not")
        return factor(words)

    alternatives = [[term(part) for part in _split(alternative, "and")] for alternative in _split(text.split(), "or")]
    each = [parts[0] if len(parts) == 1 else both(parts) for parts in alternatives]
    return each[0] if len(each) == 1 else either(each)


def _split(words: list[str], at: str) -> list[list[str]]:
    """Return the parts of a list of words between a word."""
    parts: list[list[str]] = [[]]
    for word in words:
        if word == at:
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def _shape(words: list[str], structure: Structure) -> Region | None:
    """Return the shape that words describe; None where they begin like none. Raises InputError."""
    lattice, (kind, *rest) = structure.lattice, words
    if kind in AXES:
        low, high = _floats(words, rest, 2)
        plane = (int(kind == "x"), int(kind == "y"), int(kind == "z"))
        return Slab(lattice, plane, low, high)
    if kind == "plane":
        *hkl, low, high = _floats(words, rest, 5)
        indices = (round(hkl[0]), round(hkl[1]), round(hkl[2]))
        if indices != tuple(hkl) or not any(indices):
            raise InputError(f"Miller indices are whole numbers, not all 0; got '{' '.join(words)}'")
        return Slab(lattice, indices, low, high)
    if kind == "sphere":
        x, y, z, radius = _floats(words, rest, 4)
        return Sphere(lattice, _point(words, x, y, z), _radius(words, radius))
    if kind == "cylinder" and len(rest) == 5 and rest[3] in AXES:
        x, y, z, radius = _floats(words, rest[:3] + rest[4:], 4)
        return Cylinder(lattice, _point(words, x, y, z), AXES[rest[3]], _radius(words, radius))
    if kind == "box":
        x0, x1, y0, y1, z0, z1 = _floats(words, rest, 6)
        return Box(lattice, (x0, y0, z0), (x1, y1, z1))
    if kind == "near" and len(rest) == 2:
        (radius,) = _floats(words, rest[1:], 1)
        return Near(lattice, structure.frac_coords[_numbers(rest[0], structure)], _radius(words, radius))
    if words == ["vacuum"]:
        gap = vacuum_gap(structure)
        if gap is None:
            raise InputError("there is no vacuum in this structure; expected a slab with an empty layer, or a region")
        return gap.region(lattice)
    return None


def _floats(words: list[str], given: list[str], n: int) -> list[float]:
    """Return so many finite numbers. Raises InputError."""
    try:
        found = [float(text) for text in given]
    except ValueError:
        found = []
    if len(found) != n or not np.isfinite(found).all():
        raise InputError(f"'{' '.join(words)}' is no region: expected {counted(n, 'number')} in it, as in {FORMS}")
    return found


def _point(words: list[str], x: float, y: float, z: float) -> tuple[float, float, float]:
    """Return a point in fractional coordinates. Raises InputError where they are far from the cell."""
    if not all(-1 <= part <= 2 for part in (x, y, z)):
        raise InputError(
            f"'{' '.join(words)}' is no region: its point lies at {x:g} {y:g} {z:g}; expected fractional coordinates, "
            "from 0 to 1 (only the radius is in Å)"
        )
    return x, y, z


def _radius(words: list[str], radius: float) -> float:
    if radius <= 0:
        raise InputError(f"'{' '.join(words)}' is no region: expected a radius above 0 Å, got {radius:g}")
    return radius


def _numbers(text: str, structure: Structure) -> list[int]:
    """Return the numbers of the atoms that symbols and numbers such as Li,4-7 name. Raises InputError."""
    symbols = {s: [k for k, site in enumerate(structure) if site.specie.symbol == s] for s in structure.symbol_set}
    found: set[int] = set()
    for part in text.split(","):
        span = re.fullmatch(r"(\d{1,7})(?:-(\d{1,7}))?", part)
        if part in symbols:
            found |= set(symbols[part])
        elif span:
            first, last = int(span[1]), int(span[2] or span[1])
            if not first <= last < len(structure):
                raise InputError(
                    f"there are no atoms {part}; expected numbers from 0 to {len(structure) - 1}, or symbols of "
                    f"{structure.composition.reduced_formula}"
                )
            found |= set(range(first, last + 1))
        else:
            raise InputError(
                f"'{part}' names no atoms of {structure.composition.reduced_formula}; expected one of its symbols, or "
                f"numbers from 0 to {len(structure) - 1} such as 0,4-7"
            )
    return sorted(found)
