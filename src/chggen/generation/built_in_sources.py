"""The sources of chggen's own: five of cells for de novo candidates, four of places for the guests of a host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from chggen.generation.host import Host
    from chggen.generation.sources import CellRequest
    from chggen.generation.start import Start

_MOST_PARENTS: Final = 10
_LIKELY_PROTOTYPES: Final = 8  # of later ones there are few that are right, see PrototypeCells.fade


class PrototypeCells:
    """A source of cells: known prototypes with the species on their sites, the likeliest first."""

    name: str = "prototype"
    share: float = 0.6

    def available(self, species: Mapping[str, int], draws_cells: bool) -> bool:
        """Return whether a prototype of this stoichiometry and cell size is known.

        Args:
            species: Element symbol to number of atoms in the cell.
            draws_cells: Whether the score model of the run can draw cells, which does not matter here.
        """
        from chggen.generation.prototypes import count_prototypes

        return bool(count_prototypes(species))

    def start(self, request: CellRequest) -> Start:
        """Return the cell of the prototype at this rank, at the likeliest volume.

        Args:
            request: The cell that is wanted.
        """
        from chggen.generation.cell_starts import PrototypeCell

        volume = request.volume.median * sum(request.species.values())  # each comes once: at the likeliest volume
        return PrototypeCell(request.species, volume, request.rank, stride=request.stride)

    def fade(self, rank: int) -> float:
        """Return what part of its share the source still has at a rank.

        Of 500 crystals of the `val` split, the prototype of rank k is right for 0.74 (k + 1)^-1.5 of those that the
        ones before it were not right for.

        Args:
            rank: How many prototypes of this cell size were taken before.
        """
        return float(min(1.0, (_LIKELY_PROTOTYPES / (rank + 1)) ** 1.5))


class SpaceGroupCells:
    """A source of cells: drawn space groups and Wyckoff positions, as known crystals of the stoichiometry have them."""

    name: str = "space-group"
    share: float = 0.2

    def available(self, species: Mapping[str, int], draws_cells: bool) -> bool:
        """Return True: there is a space group for every cell.

        Args:
            species: Element symbol to number of atoms in the cell.
            draws_cells: Whether the score model of the run can draw cells, which does not matter here.
        """
        return True

    def start(self, request: CellRequest) -> Start:
        """Return a cell of the space group asked for, else of a drawn one.

        Args:
            request: The cell that is wanted.
        """
        from chggen.generation.cell_starts import SpaceGroupCell

        group = request.space_group if isinstance(request.space_group, int) else None
        return SpaceGroupCell(request.species, _drawn_volume(request), group)


class LearnedCells:
    """A source of cells whose shape the score model draws; with a space group, within its Bravais class."""

    name: str = "learned"
    share: float = 0.1

    def available(self, species: Mapping[str, int], draws_cells: bool) -> bool:
        """Return whether the score model of the run can draw cells.

        Args:
            species: Element symbol to number of atoms in the cell.
            draws_cells: Whether the score model of the run can draw cells.
        """
        return draws_cells

    def start(self, request: CellRequest) -> Start:
        """Return a cell that the score model draws, with a space group where one is asked for.

        Args:
            request: The cell that is wanted.
        """
        from chggen.generation.cell_starts import LearnedCell, SpaceGroupCell

        if request.space_group == "none":
            return LearnedCell(request.species, _drawn_volume(request))
        group = request.space_group if isinstance(request.space_group, int) else None
        return SpaceGroupCell(request.species, _drawn_volume(request), group, learned=True)


class BravaisCells:
    """A source of cells: random ones of the Bravais lattices, with atoms anywhere."""

    name: str = "bravais"
    share: float = 0.1

    def available(self, species: Mapping[str, int], draws_cells: bool) -> bool:
        """Return True: there is a random cell for any species.

        Args:
            species: Element symbol to number of atoms in the cell.
            draws_cells: Whether the score model of the run can draw cells, which does not matter here.
        """
        return True

    def start(self, request: CellRequest) -> Start:
        """Return a random cell.

        Args:
            request: The cell that is wanted.
        """
        from chggen.generation.cell_starts import BravaisCell

        return BravaisCell(request.species, _drawn_volume(request))


class EvolvedCells(SpaceGroupCells):
    """A source of cells: what the lowest candidates so far are changed to, see `evolved_starts.evolved`.

    As long as there are none of this composition and cell size, it does what `space-group` does.
    """

    name: str = "evolve"
    share: float = 0.0

    def start(self, request: CellRequest) -> Start:
        """Return what one of the lowest candidates so far is changed to.

        Args:
            request: The cell that is wanted.
        """
        from chggen.generation.evolved_starts import evolved

        volume = request.volume.median * sum(request.species.values())
        parents = request.parents(_MOST_PARENTS)
        start = evolved(parents, volume, request.rng) if parents else None
        return super().start(request) if start is None else start


def _drawn_volume(request: CellRequest) -> float:
    """Return a drawn volume of the cell, Å³."""
    return request.volume.draw(request.rng) * sum(request.species.values())


class PrototypeGuests:
    """A source of places for guests: sites of known prototypes whose framework the host is, the closest first."""

    name: str = "prototype"

    def starts(self, host: Host, n: int) -> Sequence[Start]:
        """Return at most n starts from the closest prototypes.

        Args:
            host: The host and its guests.
            n: Number of candidates that are wanted.
        """
        from chggen.generation.host_starts import analogue_starts

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
    """A source of places for guests: uniform random positions in the cell."""

    name: str = "anywhere"

    def starts(self, host: Host, n: int) -> Sequence[Start]:
        """Return the start anywhere in the cell.

        Args:
            host: The host and its guests.
            n: Number of candidates that are wanted. They all share one start, which draws other positions in each try.
        """
        from chggen.generation.host_starts import GivenHost

        return [GivenHost(host)]

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
