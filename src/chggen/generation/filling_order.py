"""Fillings: which starts the candidates of a host have, and in which order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from itertools import chain, cycle, islice

import numpy as np

from chggen.errors import InputError
from chggen.generation.built_in_guest_sources import AnywhereGuests, OrbitGuests, PatternGuests, PrototypeGuests
from chggen.generation.host import Host
from chggen.generation.host_orbits import kept_orbits
from chggen.generation.host_starts import GivenHost, PrototypeSites
from chggen.generation.prototype_mapping import CLOSE, analogues
from chggen.generation.sources import AUTO, guest_sources
from chggen.generation.start import Start


def fillings(host: Host, n: int, guests_from: str = AUTO, by_energy: bool = True) -> list[Start]:
    """Return what each of n candidates of a host starts from.

    Guests with a region go where the host's own pattern goes on into it, once. Then those that repeat as the host does,
    those on orbits of its whole group and those anywhere in the region take turns, and with these the patterns of the
    parts of a host that has several, such as grains. Without a region `auto` begins with the closest analogue where one
    is close. Orbits of the host's group, positions anywhere, sources of other packages and the next close analogue then
    take turns. Where no analogue is close, orbits come first if energies choose among tries; the score network alone
    tells wrong orbits from right ones less well, and then guests start anywhere first.

    Args:
        host: The host and its guests.
        n: Number of candidates.
        guests_from: `auto` for all sources, or the name of one source, whose starts come again when all have come.
        by_energy: Whether tries are chosen by their energy (see `strategy.by_energy`).

    Returns:
        n starts.

    Raises:
        InputError: When the source that is asked for has nothing for this host.
    """
    if host.regions and guests_from == AUTO:
        pattern = PatternGuests().starts(host, n)
        beside: list[Start] = [*OrbitGuests().starts(host, n), GivenHost(host)]
        return list(islice(chain(pattern[:1], _in_turn(beside, pattern[1:])), n))
    if guests_from == AUTO:
        sources = [source for name, source in guest_sources().items() if name != PrototypeGuests.name]
        others = [source.starts(host, 1)[:1] for source in sources]
        in_order = [start for starts in others for start in starts]
        if not by_energy:
            in_order.sort(key=lambda start: start.on_orbits)
        return _first_thorough(beside_analogues(host, n, in_order))
    source = guest_sources()[guests_from]
    starts = list(source.starts(host, n))
    if not starts:
        raise InputError(source.refusal(host))
    return _first_thorough([starts[k % len(starts)] for k in range(n)])


def same_start(one: Start, other: Start) -> bool:
    """Return whether two starts of a run lead to the same, but for the seed and the number of tries.

    Args:
        one: A start.
        other: Another one.
    """
    if one is other or not isinstance(one, GivenHost) or type(one) is not type(other):
        return one is other
    return all(getattr(one, f.name) is getattr(other, f.name) for f in fields(one) if f.name != "thorough")


def _first_thorough(starts: list[Start]) -> list[Start]:
    """Return starts of which the first anywhere is thorough: later ones are to be different, and had rather be many."""
    for k, start in enumerate(starts):
        if isinstance(start, GivenHost) and start.source == AnywhereGuests.name:
            return [*starts[:k], replace(start, thorough=True), *starts[k + 1 :]]
    return starts


def beside_analogues(host: Host, n: int, others: Sequence[Start]) -> list[Start]:
    """Return n starts: the closest analogue first where one is close, then the others and the analogues in turn.

    Args:
        host: The host and its guests.
        n: Number of starts.
        others: Starts that come between two analogues, and again and again after the last one.
    """
    close = analogue_starts(host, n, CLOSE)
    starts = close or analogue_starts(host, n)
    first, rest = (starts[:1], starts[1:]) if close else ([], starts)
    return list(islice(chain(first, _in_turn(others, rest)), n))


def analogue_starts(host: Host, n: int, least: float = -math.inf) -> list[Start]:
    """Return starts from the analogues of a host, the closest first.

    Args:
        host: The host and its guests.
        n: Largest number of starts.
        least: Smallest closeness of an analogue (`prototype_mapping.Analogue`).
    """
    most = n if host.orbits is None else None  # else those that keep no symmetry drop out
    starts = (_on_sites(host, analogue.frac_coords) for analogue in analogues(host, least, most))
    return list(islice((start for start in starts if start is not None), n))


def _in_turn(others: Sequence[Start], starts: Sequence[Start]) -> Iterator[Start]:
    """Yield the others before each of the starts, and after the last one the others again and again."""
    for start in starts:
        yield from (*others, start)
    yield from cycle(others)


def _on_sites(host: Host, sites: np.ndarray) -> PrototypeSites | None:
    """Return the start from these sites; None where a host to be filled symmetrically keeps no symmetry with them."""
    if host.orbits is None:
        return PrototypeSites(GivenHost(host), sites)
    kept = kept_orbits(host, sites)
    return None if kept is None else PrototypeSites(GivenHost(host), *kept)
