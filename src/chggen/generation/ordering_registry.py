"""The registry of sources of orderings, and what each is asked for and returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from chggen.errors import InputError
from chggen.generation.sources import AUTO, ENTRY_POINTS

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from chggen.generation.disorder import Disorder
    from chggen.generation.ordering_cells import OrderingCell
    from chggen.generation.ordering_energies import Energies
    from chggen.generation.ordering_sites import OrderingSites
    from chggen.potential import Potential

LATTICE: Final = "lattice"
"""Name that stands for all sources whose atoms stand on the average sites."""


@dataclass(frozen=True)
class FoundOrdering:
    """A low ordering.

    Attributes:
        structure: The ordered structure, on the average sites.
        energy: Energy before relaxation, eV/atom.
        source: Name of the source that it comes from.
        mobile: Species that is sampled from where it stands, and may leave its sites; None where atoms stay on them.
    """

    structure: Structure
    energy: float
    source: str
    mobile: str | None = None


@dataclass(frozen=True)
class OrderingRequest:
    """What a source of orderings is asked for.

    Attributes:
        disorder: The disordered structure.
        cells: Cells to be filled, the first before the others; the last is the smallest.
        potential: What gives energies before relaxation.
        n: Number of orderings that are wanted.
        seed: Random seed; whatever is random has to come from here.
        max_atoms: Most atoms of a cell.
        told: Called with the number of orderings whose energies have been computed, each time some have been.
    """

    disorder: Disorder
    cells: tuple[OrderingCell, ...]
    potential: Potential
    n: int
    seed: int
    max_atoms: int
    told: Callable[[int], None] = field(default=lambda n: None, compare=False)

    @cached_property
    def sites(self) -> tuple[OrderingSites, ...]:
        """The sites of the cells, whose symmetry is looked for once."""
        from chggen.generation.ordering_sites import OrderingSites

        return tuple(OrderingSites.of(self.disorder, cell) for cell in self.cells)

    def energies(self, sites: OrderingSites) -> Energies:
        """Return what gives the energies of orderings of a cell by the potential, and tells how many it has given.

        Args:
            sites: The sites of the cell.
        """
        from chggen.generation.ordering_energies import of_potential

        return of_potential(sites, self.potential, self.told)


@runtime_checkable
class OrderingSource(Protocol):
    """A source of ordered structures of a disordered one.

    Attributes:
        name: Its name in `--orderings-from` and in the column `seed_source`.
    """

    name: str

    def orderings(self, request: OrderingRequest) -> Sequence[FoundOrdering]:
        """Return distinct orderings, those to be relaxed first come first; none where the source has nothing.

        Args:
            request: What is wanted.
        """
        ...


@cache
def ordering_sources() -> dict[str, OrderingSource]:
    """Return all sources of orderings by name: the built-in ones, then those of other packages.

    Raises:
        InputError: Another package registers a source by a name that is taken.
    """
    from chggen.generation.built_in_orderings import Enumeration, SampledGuests, Swaps, Symmetric

    built_in: tuple[OrderingSource, ...] = (Enumeration(), Symmetric(), Swaps(), SampledGuests())
    found = {source.name: source for source in built_in}
    for point in entry_points(group=ENTRY_POINTS):
        added = point.load()
        added = added() if isinstance(added, type) else added
        if isinstance(added, OrderingSource):
            if added.name in (AUTO, LATTICE, *found):
                raise InputError(f"{point.value} registers a source named '{added.name}', which is taken; rename it")
            found[added.name] = added
    return found
