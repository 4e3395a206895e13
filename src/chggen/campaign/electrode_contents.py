"""The contents of an electrode that a scan looks at: their numbers of ions, their cells, and what limits them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np

from chggen.campaign.structure_options import ElectrodeOptions
from chggen.crystals import cells_in, plain_formula, supercell_matrix
from chggen.errors import InputError
from chggen.generation import ions_with_room, most_known, redox_room
from chggen.io import MAX_ATOMS, ORDER_FIRST_OR_HERE
from chggen.stability import ANIONS, VALENCES

if TYPE_CHECKING:
    from pymatgen.core import Structure

_MOST_CONTENTS: Final = 9  # looked at unless contents are named
_MOST_MULTIPLES: Final = 16  # cells in the supercell of a content
_CROWDED: Final = (4, 4)  # counts beyond so many times the room that there is, and so many more, fit no host
_OF_ANIONS: Final = frozenset(("O", "S", "Se", "Te", "N", "P", "As", "F", "Cl", "Br", "I", "C"))


@dataclass(frozen=True)
class Content:
    """A content of the scan: so many ions in a cell that is so many times the host's, along its axes.

    The host's cell is the supercell that is asked for, if one is.
    """

    count: int
    multiples: tuple[int, int, int]

    @property
    def cells(self) -> int:
        """Number of the host's cells."""
        return math.prod(self.multiples)


class ElectrodeContents:
    """The contents of an electrode that a scan looks at, and the cells that hold them.

    Args:
        host: The host, with or without ions.
        options: What is asked for.

    Attributes:
        framework: The host without its ions.
        formula: Reduced formula of the framework.
        limit: What limits the content, in words.
        all: The contents, by rising number of ions per formula unit.

    Raises:
        InputError: The ion is not one, the host does not fit it, or the contents do not fit the host.
    """

    def __init__(self, host: Structure, options: ElectrodeOptions) -> None:
        self.options = options
        ions, self._given_cells = _mobile(host, options), cells_in(options.supercell)
        self._given = host.copy()  # the framework before it is repeated
        self._given.remove_sites(ions)
        self._host, self._ions = _repeated(host, ions, options)
        self.framework = self._host.copy()
        self.framework.remove_sites(self._ions)
        reduced, units = self.framework.composition.element_composition.get_reduced_composition_and_factor()
        self.formula = plain_formula(reduced)
        self._units = round(units)
        self._frameworks: dict[tuple[int, int, int], Structure] = {}
        self.limit = ""
        self.all = tuple(sorted(self._contents(), key=self.ions_per_unit))

    def units(self, content: Content) -> int:
        """Return the number of formula units of the framework in the cell of a content.

        Args:
            content: The content.
        """
        return self._units * content.cells

    def ions_per_unit(self, content: Content) -> float:
        """Return a content as ions per formula unit of the framework.

        Args:
            content: The content.
        """
        return content.count / self.units(content)

    def is_given(self, content: Content) -> bool:
        """Return whether the host came with this content.

        Args:
            content: The content.
        """
        return content.count == len(self._ions) * content.cells

    @property
    def host_volume(self) -> float:
        """Volume of the host, Å³ per formula unit of the framework."""
        return float(self._host.volume) / self._units

    def framework_of(self, content: Content) -> Structure:
        """Return the framework in the cell of a content.

        Args:
            content: The content.
        """
        if content.multiples not in self._frameworks:
            self._frameworks[content.multiples] = _multiplied(self.framework, content.multiples)
        return self._frameworks[content.multiples]

    def host_of(self, content: Content) -> Structure:
        """Return the host as it came in the cell of a content, the framework's atoms first.

        Args:
            content: The content.
        """
        apart = set(self._ions)
        order = [i for i in range(len(self._host)) if i not in apart] + self._ions
        ordered = type(self._host).from_sites([self._host[i] for i in order])
        return multiplied(ordered, len(self.framework), content.multiples)

    def _contents(self) -> list[Content]:
        """Return the contents that are asked for, or those between nothing and the limit."""
        options = self.options
        named = [name for name in ("counts", "contents", "max_content") if getattr(options, name)]
        if len(named) > 1:
            raise InputError(f"expected counts, contents or max_content, got {' and '.join(named)}; leave one out")
        if options.counts:
            self.limit = "counts as asked for"
            found = [Content(count, (1, 1, 1)) for count in sorted(set(options.counts))]
        elif options.contents:
            self.limit = "contents as asked for"
            found = [self._smallest(content) for content in sorted(set(options.contents))]
        else:
            fullest = self._fullest()
            counts = np.linspace(0, fullest.count, min(fullest.count + 1, _MOST_CONTENTS)).round().astype(int)
            found = [Content(int(count), fullest.multiples) for count in np.unique(counts)]
        self._check(found)
        return found

    def _smallest(self, content: float) -> Content:
        """Return a content in the smallest supercell that holds it, as close to a cube as can be."""
        share = Fraction(content).limit_denominator(64)
        if abs(float(share) - content) > 1e-3 or content < 0:
            raise InputError(f"a content must be a simple fraction of 0 or more, such as 0.25; got {content:g}")
        for cells in range(1, _MOST_MULTIPLES + 1):
            count = share * self._units * cells
            if count.denominator == 1:
                return Content(int(count), _near_cube(self.framework, cells))
        raise InputError(
            f"content {content:g} needs more than {_MOST_MULTIPLES} cells of {self._units} {self.formula} each; "
            "ask for another content, or give a --supercell that holds it"
        )

    def _fullest(self) -> Content:
        """Return the fullest content, and put into words what limits it."""
        held = len(self._ions)
        if self.options.max_content is not None:
            self.limit = f"{self.options.max_content:g} as asked for"
            return self._smallest(self.options.max_content)
        if held:
            self.limit = f"the {self.options.ion} that the host came with"
        return Content(held or self._most() * self._given_cells, (1, 1, 1))

    def _most(self) -> int:
        """Return the number of ions that an empty host can take before it is repeated, and say what limits it."""
        ion = self.options.ion
        valence, oxidises = VALENCES[ion], ion in ANIONS
        room = redox_room(self._given, ion, 0, valence, oxidises)
        if room is None:
            raise InputError(
                f"no oxidation states balance the framework {self.formula}, so its content has no limit by redox; give "
                "the largest one with --max-content, or --counts"
            )
        by_redox = math.floor(room + 1e-6)
        if by_redox < 1:
            raise InputError(
                f"no element of {self.formula} can be {'oxidised' if oxidises else 'reduced'} to take {ion}; give the "
                "largest content with --max-content, or --counts"
            )
        known = most_known(self._given, ion, by_redox)
        sites = known or ions_with_room(self._given, ion, by_redox)
        self.limit = "oxidation states" if sites >= by_redox else "sites of known prototypes" if known else "room"
        return max(1, min(by_redox, sites))

    def _check(self, contents: Sequence[Content]) -> None:
        """Raise InputError for contents that do not fit the host."""
        if len({self.ions_per_unit(content) for content in contents}) < 2:
            raise InputError(
                "a voltage needs two contents or more; give at least two, such as --counts 0,1 or --contents 0,1"
            )
        for content in contents:
            atoms = len(self.framework) * content.cells + content.count
            if content.count < 0:
                raise InputError(f"counts of {self.options.ion} must be 0 or more, got {content.count}")
            if atoms > MAX_ATOMS:
                raise InputError(
                    f"that supercell has {atoms} atoms with {content.count} {self.options.ion}; expected at most "
                    f"{MAX_ATOMS}, so ask for a smaller one"
                )
        most = max(contents, key=lambda c: c.count / c.cells)
        wanted = math.ceil(most.count / most.cells)
        times, more = _CROWDED
        room = ions_with_room(self.framework, self.options.ion, wanted)
        if wanted > max(times * room + more, len(self._ions)):
            raise InputError(
                f"{most.count} {self.options.ion} do not fit: the host has room for about {room * most.cells} at the "
                "distances of atoms that touch; ask for fewer, or for a larger --supercell"
            )


def multiplied(structure: Structure, n_framework: int, multiples: tuple[int, int, int]) -> Structure:
    """Return a supercell in which the framework's atoms come first.

    Args:
        structure: The structure, the framework's atoms first.
        n_framework: Number of these.
        multiples: Multiples along the axes.
    """
    sites = list(structure)
    if multiples == (1, 1, 1) or n_framework in (0, len(sites)):
        return _multiplied(structure, multiples)
    framework, ions = (type(structure).from_sites(some) for some in (sites[:n_framework], sites[n_framework:]))
    whole = _multiplied(framework, multiples)
    for site in _multiplied(ions, multiples):
        whole.append(site.species, site.frac_coords)
    return whole


def _mobile(host: Structure, options: ElectrodeOptions) -> list[int]:
    """Return the sites of the host's ions. Raises InputError for what is no ion, or what holds the host together."""
    ion = options.ion
    if ion not in VALENCES:
        raise InputError(f"unknown working ion '{ion}'; expected one of {', '.join(VALENCES)}")
    if not host.is_ordered:
        raise InputError(f"the host has partially occupied sites; {ORDER_FIRST_OR_HERE}")
    own = [i for i, site in enumerate(host) if site.specie.symbol == ion]
    if options.ion_sites:
        wrong = [i for i in options.ion_sites if i not in own]
        if wrong:
            known = f"sites of {ion} are {', '.join(map(str, own[:20]))} (numbers from 0)"
            raise InputError(
                f"site {wrong[0]} is no {ion}; {known if own else 'the host holds none, so name no sites'}"
            )
        own = sorted(set(options.ion_sites))
    if len(own) == len(host):
        raise InputError(f"the host is {ion} alone; expected a framework that takes {ion} up")
    left = {site.specie.symbol for i, site in enumerate(host) if i not in set(own)}
    if own and ion in _OF_ANIONS and not left & _OF_ANIONS:
        raise InputError(
            f"without its {ion} the host {host.composition.reduced_formula} falls apart; say which sites of {ion} are "
            "mobile with --ion-sites (numbers from 0)"
        )
    return own


def _repeated(host: Structure, ions: list[int], options: ElectrodeOptions) -> tuple[Structure, list[int]]:
    """Return the host in the supercell that is asked for, and the sites of its ions there."""
    if options.supercell == (1, 1, 1):
        return host, ions
    cells = cells_in(options.supercell)
    if len(host) * cells > MAX_ATOMS:
        raise InputError(
            f"that supercell has {len(host) * cells} atoms; expected at most {MAX_ATOMS}, so ask for a smaller one"
        )
    repeated = host.copy()
    repeated.make_supercell(supercell_matrix(options.supercell))  # copies of an atom stand together
    return repeated, [cells * i + k for i in ions for k in range(cells)]


def _multiplied(structure: Structure, multiples: tuple[int, int, int]) -> Structure:
    """Return a supercell, copies of an atom together."""
    repeated = structure.copy()
    if multiples != (1, 1, 1):
        repeated.make_supercell(multiples)
    return repeated


def _near_cube(structure: Structure, cells: int) -> tuple[int, int, int]:
    """Return multiples along the axes, in all so many cells, that make a cell closest to a cube."""
    edges = np.array(structure.lattice.abc)
    ways = [
        (a, b, cells // (a * b))
        for a in range(1, cells + 1)
        for b in range(1, cells + 1)
        if cells % a == 0 and (cells // a) % b == 0
    ]
    shapes = {way: edges * way for way in ways}
    return min(ways, key=lambda way: (round(float(shapes[way].max() / shapes[way].min()), 6), way))
