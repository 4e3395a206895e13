"""Where the candidates of a host start: on sites of known prototypes, on orbits or anywhere."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, cycle, islice
from typing import Final

import numpy as np
from jaxtyping import Float

from chggen.errors import InputError
from chggen.generation.host import Host
from chggen.generation.host_orbits import counts_text, kept_orbits, lowered, on_orbits, symmetrised
from chggen.generation.options import GuestSeeds
from chggen.generation.prototype_mapping import CLOSE, analogues
from chggen.generation.start import CellDrawer, Start
from chggen.symmetry import Orbits


@dataclass(frozen=True)
class GivenHost:
    """The same host in every try; each draws its own orbits where the host has any."""

    host: Host
    start_sigma: None = None
    prototype_log_odds: None = None

    @property
    def species(self) -> dict[str, int]:
        held = {k: int(v) for k, v in self.host.framework.composition.get_el_amt_dict().items() if v}
        return {s: held.get(s, 0) + self.host.guests.get(s, 0) for s in (*held, *self.host.guests)}

    @property
    def de_novo(self) -> bool:
        return not len(self.host.framework)

    @property
    def on_orbits(self) -> bool:
        return self.host.orbits is not None

    @property
    def symmetric(self) -> bool:
        return self.on_orbits

    def draw(self, seed: int, shapes: CellDrawer | None = None) -> tuple[Host, Orbits | None]:
        return self.host, None if self.host.orbits is None else self.host.orbits.draw(seed)

    def redraw(self, k: int) -> GivenHost:
        """The k-th lower order of subgroups: what falls in a group may stand in one of its subgroups."""
        host = self.host
        for _ in range(k):
            host = lowered(host)
        return GivenHost(host)


class OnOrbits(GivenHost):
    """The same, but only to begin with: guests may leave their orbits when relaxed, and the host is as it was."""

    @property
    def symmetric(self) -> bool:
        return False


def from_orbits(host: Host) -> OnOrbits | None:
    """The start on orbits of a host's own group; None where it has none or the guests do not fit."""
    try:
        placed = on_orbits(replace(host, framework=symmetrised(host.framework).structure))
    except InputError:
        return None
    return OnOrbits(replace(placed, framework=host.framework))


_START_SIGMA: Final = 0.1  # Å; 0.05 to 0.3 do as well on hosts of the val split


@dataclass(frozen=True)
class PrototypeSites:
    """A host with its guests on the sites of a known prototype; on orbits too where the host has any."""

    given: GivenHost
    sites: Float[np.ndarray, "guests 3"]
    orbits: Orbits | None = None
    start_sigma: float = _START_SIGMA
    prototype_log_odds: None = None

    @property
    def species(self) -> Mapping[str, int]:
        return self.given.species

    @property
    def de_novo(self) -> bool:
        return self.given.de_novo

    @property
    def on_orbits(self) -> bool:
        return self.orbits is not None

    @property
    def symmetric(self) -> bool:
        return self.on_orbits

    def draw(self, seed: int, shapes: CellDrawer | None = None) -> tuple[Host, Orbits | None]:
        return replace(self.given.host, sites=self.sites), self.orbits

    def redraw(self, k: int) -> Start:
        """On orbits that are drawn: the first ones, then lower ones."""
        return self.given.redraw(k - 1)


def fillings(host: Host, n: int, seeds: GuestSeeds = "auto") -> list[Start]:
    """What each of n candidates of a host starts from.

    `auto`: the closest analogue first where one is close, then orbits of the host's group where it has any, anywhere
    and the next close one in turn while there are any; where none is close, orbits, anywhere and the analogues in turn.
    `prototype`: analogues only, again from the first when all have come; `orbits`, `anywhere`: these only. Raises
    InputError where `prototype` finds no analogue, or `orbits` none.
    """
    anywhere = GivenHost(host)
    if seeds == "anywhere":
        return [anywhere] * n
    if seeds == "prototype":
        laid = _all_laid(host, n)
        if not laid:
            raise InputError(
                f"no known prototype has this host with {counts_text(host, host.guests.values())}; "
                "expected one, so use seeds auto or anywhere, or other counts"
            )
        return [laid[k % len(laid)] for k in range(n)]
    orbits = from_orbits(host) if host.orbits is None else None
    if seeds == "orbits":
        if orbits is None and host.orbits is None:
            raise InputError(
                f"{counts_text(host, host.guests.values())} fit no orbits of a group of this host above "
                "P1 and P-1; use seeds auto or anywhere, other counts or a supercell"
            )
        return [orbits or anywhere] * n
    return beside_analogues(host, n, [anywhere] if orbits is None else [orbits, anywhere])


def beside_analogues(host: Host, n: int, others: Sequence[Start]) -> list[Start]:
    """n starts: the closest analogue first where one is close, then the others and the analogues in turn."""
    close = _all_laid(host, n, CLOSE)
    laid = close or _all_laid(host, n)
    return list(islice(chain(laid[:1] if close else [], _in_turn(others, laid[1:] if close else laid)), n))


def _all_laid(host: Host, n: int, least: float = -math.inf) -> list[Start]:
    """At most n starts from the analogues of at least this closeness, the closest first."""
    starts = (_laid(host, analogue.frac_coords) for analogue in analogues(host, least))
    return list(islice((start for start in starts if start is not None), n))


def _in_turn(others: Sequence[Start], laid: Sequence[Start]) -> Iterator[Start]:
    for start in laid:
        yield from (*others, start)
    yield from cycle(others)


def _laid(host: Host, sites: np.ndarray) -> PrototypeSites | None:
    """The start from these sites; None where the host is to be filled symmetrically and they keep nothing of it."""
    if host.orbits is None:
        return PrototypeSites(GivenHost(host), sites)
    kept = kept_orbits(host, sites)
    return None if kept is None else PrototypeSites(GivenHost(host), *kept)
