"""What the candidates of a host start from: guests on sites of known prototypes, on orbits or anywhere."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, cycle, islice
from typing import Final

import numpy as np
from jaxtyping import Float

from chggen.errors import InputError
from chggen.generation.built_in_guest_sources import OrbitGuests, PatternGuests, PrototypeGuests
from chggen.generation.host import Host
from chggen.generation.host_orbits import kept_orbits, lowered, on_orbits, symmetrised
from chggen.generation.prototype_mapping import CLOSE, analogues
from chggen.generation.sources import AUTO, guest_sources
from chggen.generation.start import CellDrawer, Start
from chggen.symmetry import Orbits

START_SIGMA: Final = 0.1  # Å; 0.05 to 0.3 do as well on hosts of the val split


@dataclass(frozen=True)
class GivenHost:
    """A host that is the same in every try.

    Its guests start anywhere. If the host has a plan of orbits, they start on orbits that each try draws for itself.

    Attributes:
        host: The host and its guests.
        thorough: Whether more tries than usual are made where guests that start anywhere come to nothing twice.
    """

    host: Host
    thorough: bool = False
    start_sigma: None = None
    prototype_log_odds: None = None

    @property
    def species(self) -> dict[str, int]:
        """Element symbol to number of atoms, those of the host and its guests together."""
        held = {k: int(v) for k, v in self.host.framework.composition.get_el_amt_dict().items() if v}
        return {s: held.get(s, 0) + self.host.guests.get(s, 0) for s in (*held, *self.host.guests)}

    @property
    def source(self) -> str:
        """`orbits` or `anywhere`, by where guests start."""
        return "orbits" if self.on_orbits else "anywhere"

    @property
    def de_novo(self) -> bool:
        """Whether the host is empty."""
        return not len(self.host.framework)

    @property
    def on_orbits(self) -> bool:
        """Whether guests start on orbits."""
        return self.host.orbits is not None

    @property
    def symmetric(self) -> bool:
        """Whether what is made keeps its symmetry when it is relaxed."""
        return self.on_orbits

    def draw(self, seed: int, cell_drawer: CellDrawer | None = None) -> tuple[Host, Orbits | None]:
        """Return the host, and drawn orbits of all its atoms where it has a plan of orbits.

        Args:
            seed: Random seed of the try.
            cell_drawer: Not needed.

        Raises:
            InputError: A region has no room for the guests.
        """
        return self.host.filled(seed), None if self.host.orbits is None else self.host.orbits.draw(seed)

    def redraw(self, k: int) -> GivenHost:
        """Return the host with its guests on orbits of smaller subgroups.

        What turns out to be a saddle in a group may be stable in one of its subgroups.

        Args:
            k: How many times to go down to the largest of the smaller subgroups that hold the guests.
        """
        host = self.host
        for _ in range(k):
            host = lowered(host)
        return GivenHost(host)


class OnOrbits(GivenHost):
    """A host, just as it was given, whose guests start on orbits of its group and may leave them when relaxed."""

    @property
    def symmetric(self) -> bool:
        """False: relaxation is free."""
        return False


@dataclass(frozen=True)
class PrototypeSites:
    """A host with its guests on the sites of a known prototype.

    Attributes:
        given: The host.
        sites: Fractional coordinates of the guests, of shape (guests, 3), in the order of the host's guests.
        orbits: Orbits of all atoms, where the host is to be filled symmetrically.
        start_sigma: Standard deviation of the first perturbation of the guests, Å.
    """

    given: GivenHost
    sites: Float[np.ndarray, "guests 3"]
    orbits: Orbits | None = None
    start_sigma: float = START_SIGMA
    source: str = "prototype"
    prototype_log_odds: None = None

    @property
    def species(self) -> Mapping[str, int]:
        """Element symbol to number of atoms, those of the host and its guests together."""
        return self.given.species

    @property
    def de_novo(self) -> bool:
        """Whether the host is empty."""
        return self.given.de_novo

    @property
    def on_orbits(self) -> bool:
        """Whether guests are sampled on orbits."""
        return self.orbits is not None

    @property
    def symmetric(self) -> bool:
        """Whether what is made keeps its symmetry when it is relaxed."""
        return self.on_orbits

    def draw(self, seed: int, cell_drawer: CellDrawer | None = None) -> tuple[Host, Orbits | None]:
        """Return the host with the guests on their sites, and the orbits of all atoms where there are any.

        Args:
            seed: Random seed of the try.
            cell_drawer: Not needed.
        """
        return replace(self.given.host, sites=self.sites), self.orbits

    def redraw(self, k: int) -> Start:
        """Return the host with drawn orbits: those of its group first, then those of smaller subgroups.

        Args:
            k: Which redraw it is.
        """
        return self.given.redraw(k - 1)


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
    return one is other or (isinstance(one, GivenHost) and type(one) is type(other) and one.host is other.host)


def _first_thorough(starts: list[Start]) -> list[Start]:
    """Return starts of which the first anywhere is thorough: later ones are to be different, and had rather be many."""
    for k, start in enumerate(starts):
        if isinstance(start, GivenHost) and not start.on_orbits:
            return [*starts[:k], replace(start, thorough=True), *starts[k + 1 :]]
    return starts


def from_orbits(host: Host) -> OnOrbits | None:
    """Return the start on orbits of a host's own group; None where it has none or the guests do not fit.

    Args:
        host: The host and its guests.
    """
    try:
        placed = on_orbits(replace(host, framework=symmetrised(host.framework).structure))
    except InputError:
        return None
    return OnOrbits(replace(placed, framework=host.framework))


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
