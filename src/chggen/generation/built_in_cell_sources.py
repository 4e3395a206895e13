"""The sources of cells of chggen's own, for de novo candidates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
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
