"""The sources of places for the guests of a host that are chggen's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chggen.generation.host import Host
    from chggen.generation.start import Start


class PrototypeGuests:
    """A source of places for guests: sites of known prototypes whose framework the host is, the closest first."""

    name: str = "prototype"

    def starts(self, host: Host, n: int) -> Sequence[Start]:
        """Return at most n starts from the closest prototypes.

        Args:
            host: The host and its guests.
            n: Number of candidates that are wanted.
        """
        from chggen.generation.filling_order import analogue_starts

        return analogue_starts(host, n)

    def refusal(self, host: Host) -> str:
        """Return the sentence that says that no prototype fits.

        Args:
            host: The host and its guests.
        """
        from chggen.generation.host_orbits import counts_text

        return (
            f"no known prototype has this host with {counts_text(host, host.guests.values())}; "
            "expected one, so use guests from auto or anywhere, or other counts"
        )


class OrbitGuests:
    """A source of places for guests: orbits of the host's own group.

    Guests may leave the orbits when they are relaxed, unless the host is held symmetric.
    """

    name: str = "orbits"

    def starts(self, host: Host, n: int) -> Sequence[Start]:
        """Return the start on orbits of the host's group; none where the guests fit no orbits.

        In a region there are two starts: on orbits of the translations by which the host repeats itself, and on those
        of its whole group.

        Args:
            host: The host and its guests.
            n: Number of candidates that are wanted. They all share one start, which draws other orbits in each try.
        """
        from chggen.generation.host_starts import GivenHost, from_orbits
        from chggen.generation.region_orbits import region_orbits
        from chggen.generation.repeated_guests import repeated_guests

        if host.regions:
            return [start for start in (repeated_guests(host), region_orbits(host)) if start is not None]
        if host.orbits is not None:
            return [GivenHost(host)]
        start = from_orbits(host)
        return [] if start is None else [start]

    def refusal(self, host: Host) -> str:
        """Return the sentence that says that the guests fit no orbits.

        Args:
            host: The host and its guests.
        """
        from chggen.generation.host_orbits import counts_text

        return (
            f"{counts_text(host, host.guests.values())} fit no orbits of a group of this host above "
            "P1 and P-1; use guests from auto or anywhere, other counts or a supercell"
        )


class AnywhereGuests:
    """A source of places for guests: uniform random positions in the cell.

    In a host that is held symmetric, what is sampled from there is made symmetric.
    """

    name: str = "anywhere"

    def starts(self, host: Host, n: int) -> Sequence[Start]:
        """Return the start anywhere in the cell.

        Args:
            host: The host and its guests.
            n: Number of candidates that are wanted. They all share one start, which draws other positions in each try.
        """
        from chggen.generation.host_starts import GivenHost
        from chggen.generation.made_symmetric import MadeSymmetric

        return [GivenHost(host) if host.orbits is None else MadeSymmetric(host)]

    def refusal(self, host: Host) -> str:
        """Return the sentence that says that there is no place for guests.

        Args:
            host: The host and its guests.
        """
        return "no place for guests in this host; expected a cell with room, so ask for fewer"


class PatternGuests:
    """A source of places for guests in a region: where the host's own pattern goes on into it."""

    name: str = "pattern"

    def starts(self, host: Host, n: int) -> Sequence[Start]:
        """Return starts from the pattern of the whole, then of its parts; none without a region or a pattern.

        Guests for which the pattern has no sites start anywhere in their regions, and repeat as the host does.

        Args:
            host: The host and its guests.
            n: Number of candidates that are wanted. They share the start of the whole.
        """
        from chggen.generation.grown_starts import grown_starts
        from chggen.generation.repeated_guests import continued_guests

        parts = grown_starts(host, n)
        whole = continued_guests(host, self.name, entire=bool(parts))
        return parts if whole is None else [whole, *parts]

    def refusal(self, host: Host) -> str:
        """Return the sentence that says that there is no pattern.

        Args:
            host: The host and its guests.
        """
        from chggen.generation.host_orbits import counts_text

        return (
            f"the pattern of this host has no sites for {counts_text(host, host.guests.values())} in a region; "
            "expected --region or --remove with what is missing there, so use guests from auto or anywhere"
        )
