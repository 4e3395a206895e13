"""Disordered phases: phases known by their average structure, and which ordered structures are orderings of them."""

from __future__ import annotations

import json
import logging
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from chggen.errors import InputError
from chggen.io import named_structures

if TYPE_CHECKING:
    from pymatgen.core import Structure

ORDERING_OF: Final = "ordering of "
"""What stands before the id of a disordered phase of which a structure is an ordering."""
log = logging.getLogger(__name__)
_TOLERANCE: Final = 0.1  # by which shares of species may lie off their occupancies, as `chggen order` takes them
_VOLUME: Final = 1.3  # most ratio of the volumes of an ordering and its average structure, either way
_LENGTHS: Final = 0.12  # relative, by which the cells may differ beside their volume
_ANGLES: Final = 6.0  # degrees
_OFF: Final = 0.2  # root mean square distance of atoms from their sites, in units of (volume of a site)^(1/3)
_ROUNDED: Final = 0.02  # by which the occupancy of a site that is always filled may miss 1, written with two digits
_SAME_PLACE: Final = 0.1  # Å by which sites may lie off the translations of a smaller average cell
_EXACT: Final = 1e-6
_MOST_ATOMS: Final = 200  # of an ordering that is compared
_MOST_CELLS: Final = 64  # average cells in it; the time grows with these most: an alloy of 64 atoms takes seconds
_MOST_VECTORS: Final = 1e5  # of the average lattice among which edges of an ordering's cell are looked for


@dataclass(frozen=True, eq=False)
class DisorderedPhase:
    """A phase whose average structure is known. It has no energy and takes no part in hulls.

    Attributes:
        id: Name of the phase.
        structure: Its average structure, some sites of which are shared by species or empty at times.
    """

    id: str
    structure: Structure

    @cached_property
    def elements(self) -> frozenset[str]:
        """Symbols of its elements."""
        return frozenset(self.structure.composition.get_el_amt_dict())

    def has_ordering(self, ordered: Structure) -> bool:
        """Return whether an ordered structure is an ordering of this phase.

        It is one if each of its atoms has a site of the average structure that may hold it, each site that is always
        filled has an atom, and on sites of equal occupancy the share of each species lies within 0.1 of its occupancy.
        The cell of the ordering is matched to all supercells of the average one that hold its atoms, up to 12 % in the
        lengths and 6° in the angles; distances of atoms from sites are at most a fifth of the edge of a site's
        volume, in their root mean square (pymatgen's StructureMatcher). Structures of other elements or of another
        composition, which are most, cost next to nothing.

        Args:
            ordered: A structure without disorder. One whose primitive cell has more than 200 atoms, more than 64
                average cells or a very long edge counts as none, since looking for its sites would take long.

        Returns:
            Whether it is an ordering.
        """
        amounts = ordered.composition.get_el_amt_dict()
        if not self.elements.issuperset(amounts) or not any(self._cells(amounts, ordered.volume)):
            return False
        child = _elements_only(ordered).get_primitive_structure().get_reduced_structure()
        vectors = 4 / 3 * math.pi * ((1 + _LENGTHS) * max(child.lattice.abc)) ** 3 / self._average.volume
        if len(child) > _MOST_ATOMS or vectors > _MOST_VECTORS:
            return False
        amounts = child.composition.get_el_amt_dict()
        return any(self._holds(child, n) for n in self._cells(amounts, child.volume) if n <= _MOST_CELLS)

    @cached_property
    def _average(self) -> Structure:
        """The primitive cell of the average structure, with elements on its sites."""
        return _elements_only(self.structure).get_primitive_structure(_SAME_PLACE).get_reduced_structure()

    @cached_property
    def _sublattices(self) -> dict[tuple[tuple[str, float], ...], list[int]]:
        """What sites hold, element symbols with their occupancies, to the numbers of the sites that hold this."""
        found: dict[tuple[tuple[str, float], ...], list[int]] = {}
        for k, site in enumerate(self._average):
            held = site.species.get_el_amt_dict()
            found.setdefault(tuple(sorted((symbol, round(x, 3)) for symbol, x in held.items())), []).append(k)
        return found

    def _cells(self, amounts: Mapping[str, float], volume: float) -> Iterator[int]:
        """Yield how many average cells a cell with these atoms may hold. volume: of the cell, in Å³."""
        least: dict[str, float] = dict.fromkeys(self.elements, 0.0)
        most = dict(least)
        for held, sites in self._sublattices.items():
            slack = _slack(held)
            for symbol, share in held:
                least[symbol] += len(sites) * max(0.0, share - slack)
                most[symbol] += len(sites) * min(1.0, share + slack)
        ratio = volume / self._average.volume
        for cells in range(max(1, math.ceil(ratio / _VOLUME)), math.floor(ratio * _VOLUME) + 1):
            if all(least[s] * cells - _EXACT <= amounts.get(s, 0.0) <= most[s] * cells + _EXACT for s in least):
                yield cells

    def _holds(self, child: Structure, cells: int) -> bool:
        """Return whether so many average cells hold the atoms of a cell on their sites, in the right shares."""
        from pymatgen.analysis.structure_matcher import OrderDisorderElementComparator, StructureMatcher

        average = self._average.copy()
        average.scale_lattice(child.volume / cells)
        if len(child) > cells * len(average):
            return False
        matcher = StructureMatcher(
            ltol=_LENGTHS, stol=_OFF, angle_tol=_ANGLES, primitive_cell=False, scale=False, attempt_supercell=True,
            allow_subset=True, supercell_size="volume", comparator=OrderDisorderElementComparator(),
        )  # fmt: skip
        found = matcher.get_transformation(child, average)
        if found is None:
            return False
        # Images of a site stand side by side in pymatgen's supercells.
        sites = np.array(found[2][: len(child)], dtype=int) // cells
        held = np.array([site.specie.symbol for site in child])
        for occupancy, own in self._sublattices.items():
            there = held[np.isin(sites, own)]
            for symbol, share in occupancy:
                if abs(float((there == symbol).sum()) / (cells * len(own)) - share) > _slack(occupancy) + _EXACT:
                    return False
        return True


def parent_of(ordered: Structure, phases: Sequence[DisorderedPhase]) -> str | None:
    """Return of which disordered phase an ordered structure is an ordering.

    Args:
        ordered: The ordered structure.
        phases: The phases.

    Returns:
        `ordering of ID`, with the phase that is nearest in composition where there are several; None for none.
    """
    shares = ordered.composition.fractional_composition.get_el_amt_dict()

    def off(phase: DisorderedPhase) -> float:
        own = phase.structure.composition.fractional_composition.get_el_amt_dict()
        return round(sum(abs(own.get(s, 0.0) - shares.get(s, 0.0)) for s in sorted({*own, *shares})), 6)

    near = [phase for phase in phases if phase.elements.issuperset(shares)]
    found = next((phase for phase in sorted(near, key=off) if _has_ordering(phase, ordered)), None)
    return None if found is None else f"{ORDERING_OF}{found.id}"


def _has_ordering(phase: DisorderedPhase, ordered: Structure) -> bool:
    """Return whether a structure is an ordering of a phase; one that cannot be compared is none."""
    try:
        return phase.has_ordering(ordered)
    except Exception:  # pymatgen raises many kinds on odd cells, and a name must not cost a candidate
        log.warning("a structure cannot be compared with the disordered phase %s", phase.id, exc_info=True)
        return False


def disordered_phases(paths: Sequence[Path]) -> tuple[DisorderedPhase, ...]:
    """Return the disordered phases of structure files.

    Args:
        paths: Structure files and folders of them.

    Returns:
        The phases, named as by `named_structures`.

    Raises:
        InputError: A file cannot be read, or holds an ordered structure, which is no reference without an energy.
    """
    found = named_structures(paths, disordered=None)
    for name, structure in found.items():
        if structure.is_ordered:
            raise InputError(
                f"{name} is an ordered structure without an energy; expected disordered ones; make a table of ordered "
                "ones with `chggen references build`"
            )
    return tuple(DisorderedPhase(name, structure) for name, structure in found.items())


def written(phases: Sequence[DisorderedPhase]) -> str:
    """Return phases as JSON.

    Args:
        phases: The phases.
    """
    return json.dumps([{"id": phase.id, "structure": _elements_only(phase.structure).as_dict()} for phase in phases])


def read(text: str, where: str) -> tuple[DisorderedPhase, ...]:
    """Return the phases that were written as JSON.

    Args:
        text: What `written` returned.
        where: The file that holds it, for the message.

    Raises:
        InputError: It is something else.
    """
    from pymatgen.core import Structure

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return tuple(
                DisorderedPhase(str(row["id"]), Structure.from_dict(row["structure"])) for row in json.loads(text)
            )
    except Exception as error:  # whatever foreign values make the class of structures raise
        raise InputError(
            f"{where} holds disordered phases that cannot be read ({error!s:.100}); build the reference file anew"
        ) from None


def _slack(held: Sequence[tuple[str, float]]) -> float:
    """Return by how much shares may lie off the occupancies of some sites."""
    return _ROUNDED if len(held) == 1 and held[0][1] >= 1 - _ROUNDED else _TOLERANCE


def _elements_only(structure: Structure) -> Structure:
    """Return a copy with elements on its sites, whatever their oxidation states, and without site properties."""
    from pymatgen.core import Structure

    return Structure(structure.lattice, [site.species.element_composition for site in structure], structure.frac_coords)
