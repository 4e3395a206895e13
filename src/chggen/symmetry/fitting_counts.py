"""Counts of guests near those asked for that do fit a host's group, for error messages that offer a remedy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from chggen.symmetry.free_volume import FreeVolume
from chggen.symmetry.group import Group
from chggen.symmetry.subgroup_choice import Choice
from chggen.symmetry.subgroup_positions import in_subgroup
from chggen.symmetry.wyckoff import WyckoffPosition

_NEARBY: Final = 300  # counts to try; some of the nearest usually fit


def nearest_counts(
    around: FreeVolume, group: Group, positions: tuple[WyckoffPosition, ...], most: int = 3
) -> list[tuple[int, ...]]:
    """Find counts near those asked for that fit a subgroup above P1 and P-1.

    Args:
        around: The cell, its host atoms, and the guests with the counts asked for.
        group: The group of the host.
        positions: Its Wyckoff positions.
        most: How many counts to return at most.

    Returns:
        Counts in the order of `around.guests`, sorted. They are the first that fit among the 300 nearest, which differ
        by up to 8 atoms in all. The list is empty where none of these fits.
    """
    counts = list(around.guests.values())
    subgroups = [(members, in_subgroup(group, positions, members)) for members in group.subgroups()]
    choices = [Choice(group, members, own, around.room(group, own)) for members, own in subgroups]
    found: list[tuple[int, ...]] = []
    for near in islice(_by_distance(counts), _NEARBY):
        if any(choice.fits(near) for choice in choices):
            found.append(tuple(near))
        if len(found) == most:
            break
    return sorted(found)


def _by_distance(counts: Sequence[int], reach: int = 8) -> Iterator[list[int]]:
    """Yield positive counts that differ from the given ones by 1 to `reach` atoms in all, the nearest first."""
    for distance in range(1, reach + 1):
        for step in _steps(len(counts), distance):
            near = [c + d for c, d in zip(counts, step, strict=True)]
            if min(near) > 0:
                yield near


def _steps(n: int, distance: int) -> Iterator[tuple[int, ...]]:
    """Yield in order the tuples of n whole numbers whose absolute values add up to the distance."""
    if n == 0:
        yield from [()] if distance == 0 else []
        return
    for first in range(-distance, distance + 1):
        yield from ((first, *rest) for rest in _steps(n - 1, distance - abs(first)))
