"""Regions as callers of the Python interface give them: in words, as objects, or one for each species."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from chggen.errors import InputError
from chggen.regions.protocol import Region

RegionLike = str | Region
_DRAWN: Final = 64  # positions by which an object is told from another


def named_regions(
    given: RegionLike | Sequence[str] | Mapping[str, RegionLike],
) -> tuple[tuple[str, ...], dict[str, Region]]:
    """Return regions as words, and those that are objects.

    Args:
        given: Words as `regions_of` takes them, one or several; an object of the protocol `Region`; or one of these
            for each species, by element symbol.

    Returns:
        Words, which stand for objects by their class and a digest of positions drawn in them; and element symbol to
        object, an empty symbol for all species without a region of their own.

    Raises:
        InputError: Something is neither words nor a region.
    """
    if isinstance(given, str):
        return (given,), {}
    if isinstance(given, Region):
        return (_name(given),), {"": given}
    if isinstance(given, Mapping):
        words = {s: [own] if isinstance(own, str) else [_name(own)] for s, own in given.items()}
        objects = {s: own for s, own in given.items() if not isinstance(own, str)}
        return tuple(f"{s}: {own}" if s else own for s, each in words.items() for own in each), objects
    for own in given:
        if not isinstance(own, str):
            raise InputError(f"a list of regions holds words such as 'z 12 17', got {own!r}; give one object, or words")
    return tuple(given), {}


def region_for(regions: Mapping[str, Region] | None, symbol: str) -> Region | None:
    """Return the region of a species: its own, else that of all species without one; None for anywhere.

    Args:
        regions: Element symbol, or name of a molecule, to region, an empty symbol for all without one of their own; or
            None.
        symbol: Element symbol, or name of a molecule.
    """
    found = regions or {}
    return found.get(symbol, found.get(""))


def _name(region: object) -> str:
    """Return what stands for an object where options are saved. Raises InputError for one that is no region."""
    kind = type(region)
    if not isinstance(region, Region):
        raise InputError(f"a region is words such as 'z 12 17' or has contains and draw, got {region!r}")
    drawn = np.round(region.draw(_DRAWN, np.random.default_rng(0)), 3)
    return (
        f"{kind.__module__}.{kind.__qualname__} {hashlib.sha256(np.ascontiguousarray(drawn).tobytes()).hexdigest()[:8]}"
    )
