"""The registry of sources: where the cells of de novo candidates come from, and where the guests of a host start."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from chggen.errors import InputError
from chggen.generation.built_in_cell_sources import (
    BravaisCells,
    EvolvedCells,
    LearnedCells,
    PrototypeCells,
    SpaceGroupCells,
)
from chggen.generation.built_in_guest_sources import AnywhereGuests, OrbitGuests, PatternGuests, PrototypeGuests

if TYPE_CHECKING:
    import numpy as np

    from chggen.generation.evolved_starts import Parent
    from chggen.generation.host import Host
    from chggen.generation.start import Start
    from chggen.generation.volume import VolumePrior

ENTRY_POINTS: Final = "chggen.sources"
"""Group of entry points by which other packages add sources; each names a `CellSource` or a `GuestSource`."""
AUTO: Final = "auto"
"""Name that stands for all sources at once."""
FILE: Final = "file:"
"""Start of the name of a file or folder of finished structures, `file:PATH`, which is a source of cells."""


def _no_parents(most: int) -> Sequence[Parent]:
    """Return none: nothing was found yet."""
    return ()


@dataclass(frozen=True, kw_only=True)
class CellRequest:
    """What a source of cells is asked for: the start of one candidate.

    Attributes:
        species: Element symbol to number of atoms in the cell.
        volume: What is known of the volume per atom.
        rng: Random numbers of this candidate. Whatever is random has to come from here.
        rank: How many candidates of this cell size the source has been asked for before.
        stride: Number of ranks between a candidate and what it is redrawn from.
        space_group: International number of the space group wanted, `auto` for a drawn one, `none` for any.
        parents: Called with a number for the lowest distinct crystals, at most so many, the lowest first, that complete
            rounds found of this composition and cell size.
    """

    species: Mapping[str, int]
    volume: VolumePrior
    rng: np.random.Generator
    rank: int
    stride: int = 1
    space_group: int | str = "none"
    parents: Callable[[int], Sequence[Parent]] = field(default_factory=lambda: _no_parents)


@runtime_checkable
class CellSource(Protocol):
    """A source of cells for de novo candidates.

    Attributes:
        name: Its name in `--cells-from` and in the column `seed_source`.
        share: Share of the budget that it begins with among all sources; 0: it is used only where asked for by name.

    A source whose best cells come first may also have a method `fade(rank)`: the part of its share, 1 at most, that is
    left to it after so many cells of a formula and size.
    """

    name: str
    share: float

    def available(self, species: Mapping[str, int], draws_cells: bool) -> bool:
        """Return whether the source has anything for a cell.

        Args:
            species: Element symbol to number of atoms in the cell.
            draws_cells: Whether the score model of the run can draw cells.
        """
        ...

    def start(self, request: CellRequest) -> Start:
        """Return what the tries of one candidate begin with.

        Args:
            request: The cell that is wanted.

        Raises:
            InputError: When the species do not fit.
        """
        ...


@runtime_checkable
class GuestSource(Protocol):
    """A source of places where the guests of a host start.

    Attributes:
        name: Its name in `--guests-from` and in the column `seed_source`.
    """

    name: str

    def starts(self, host: Host, n: int) -> Sequence[Start]:
        """Return at most n starts for a host, the best first; none where the source has nothing for it.

        Args:
            host: The host and its guests.
            n: Number of candidates that are wanted.
        """
        ...

    def refusal(self, host: Host) -> str:
        """Return the sentence that says why there is no start for a host, and what to do.

        Args:
            host: The host and its guests.
        """
        ...


@functools.cache
def cell_sources() -> dict[str, CellSource]:
    """Return all sources of cells by name: the built-in ones, then those of other packages.

    Raises:
        InputError: When another package registers something that is no source, or takes a name that is taken.
    """
    built_in: tuple[CellSource, ...] = (
        PrototypeCells(),
        SpaceGroupCells(),
        LearnedCells(),
        BravaisCells(),
        EvolvedCells(),
    )
    return _with_registered({source.name: source for source in built_in}, "start")


@functools.cache
def guest_sources() -> dict[str, GuestSource]:
    """Return all sources of guests by name: the built-in ones, then those of other packages.

    Raises:
        InputError: When another package registers something that is no source, or takes a name that is taken.
    """
    built_in: tuple[GuestSource, ...] = (PrototypeGuests(), OrbitGuests(), PatternGuests(), AnywhereGuests())
    return _with_registered({source.name: source for source in built_in}, "starts")


def _with_registered(found: dict[str, Any], method: str) -> dict[str, Any]:
    """Return sources with those of other packages that have a method: `start` for cells, `starts` for guests."""
    for point in entry_points(group=ENTRY_POINTS):
        added = point.load()
        added = added() if isinstance(added, type) else added
        if not (isinstance(added, (CellSource, GuestSource)) or hasattr(added, "orderings")):
            raise InputError(
                f"entry point {point.name} of {ENTRY_POINTS} is no source; expected a CellSource, a GuestSource or an "
                f"OrderingSource; mend {point.value} or uninstall its package"
            )
        if hasattr(added, method):
            if added.name in (AUTO, *found):
                raise InputError(f"{point.value} registers a source named '{added.name}', which is taken; rename it")
            found[added.name] = added
    return found
