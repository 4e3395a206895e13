"""Orderings: the candidates of a disordered structure, from its cell and its lowest orderings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

from chggen.campaign.structure_options import OrderOptions
from chggen.crystals import parse_formula, plain_formula
from chggen.errors import InputError
from chggen.generation import (
    LATTICE,
    FinishedStructure,
    FoundOrdering,
    GivenHost,
    Host,
    Job,
    OrderingRequest,
    PrototypeSites,
    Start,
    cells_to_fill,
    low_orderings,
    read_disorder,
)
from chggen.potential import Potential
from chggen.results import Candidate

if TYPE_CHECKING:
    from pymatgen.core import Structure

_START_SIGMA: Final = 0.2  # Å, of the mobile species about the average sites


class Orderings:
    """The candidates of a disordered structure.

    Args:
        structure: The structure, with or without disorder.
        options: What is asked for.

    Attributes:
        disorder: What the structure says.

    Raises:
        InputError: The structure is none that can be ordered, or no cell holds its occupancies.
    """

    def __init__(self, structure: Structure, options: OrderOptions) -> None:
        self.options = options
        self.disorder = read_disorder(structure)
        composition = None if options.composition is None else parse_formula(options.composition)
        if composition is not None and (strange := set(composition) ^ set(self.disorder.composition)):
            raise InputError(
                f"composition {options.composition} and the structure differ in {', '.join(sorted(strange))}; expected "
                f"a formula of all of {', '.join(sorted(self.disorder.composition))}"
            )
        self._joined = False
        try:
            self._cells = cells_to_fill(self.disorder, options.max_atoms, options.tolerance, composition)
        except InputError as error:
            self._joined = True
            self.disorder = self.disorder.with_equal_ones_joined
            try:
                self._cells = cells_to_fill(self.disorder, options.max_atoms, options.tolerance, composition)
            except InputError:
                raise error from None

    @property
    def notes(self) -> list[str]:
        """What was rounded or not taken as it stood, a sentence each."""
        from pymatgen.core import Composition

        disorder, cell = self.disorder, self._cells[-1]
        found = list(disorder.notes)
        if disorder.is_ordered:
            return [*found, "no site is shared or empty at times: the structure is relaxed as it is"]
        if self._joined:
            found.append("kinds of sites with equal occupancies are counted as one, since alone they cannot be rounded")
        formula = plain_formula(Composition(cell.species))
        off = f"shares of species lie up to {cell.off:.2g} off their occupancies" if cell.off > 1e-6 else "exactly"
        said = " and of ".join(f"{c.atoms} atoms ({c.cells} average cell{'s' * (c.cells > 1)})" for c in self._cells)
        found.append(f"{formula} in cells of {said}; {off}")
        if cell.neutral is None:
            found.append("no oxidation states balance the occupancies, so the cell need not be neutral")
        elif not cell.neutral:
            found.append("no cell within the tolerance is neutral, so this one is not")
        return found

    def jobs(self, potential: Potential, told: Callable[[int], None] = lambda n: None) -> list[Job]:
        """Return the jobs of the candidates.

        Args:
            potential: What compares orderings before they are relaxed.
            told: Called with a number of orderings each time that so many more have been compared.
        """
        options = self.options
        request = OrderingRequest(
            disorder=self.disorder,
            cells=self._cells,
            potential=potential,
            n=1 if self.disorder.is_ordered else options.n,
            seed=options.seed,
            max_atoms=self._cells[0].atoms if self.disorder.is_ordered else options.max_atoms,
            told=told,
        )
        found = low_orderings(request, LATTICE if self.disorder.is_ordered else options.orderings_from)
        return [self._job(ordering) for ordering in found]

    def _job(self, ordering: FoundOrdering) -> Job:
        """Return the job of an ordering, named after its content: what else is looked for does not rename it."""
        start, digest = _start(ordering), _digest(ordering)
        formula = plain_formula(ordering.structure.composition.element_composition)
        seed = int(np.random.default_rng([self.options.seed, int(digest, 16)]).integers(2**62))
        candidate = Candidate(
            id=f"{formula}-{len(ordering.structure)}-{digest}",
            stage="order",
            formula=formula,
            seed=seed,
            seed_source=start.source,
        )
        return Job(candidate=candidate, start=start)


def _digest(ordering: FoundOrdering) -> str:
    """Return six hexadecimal digits of what an ordering is: species, sites, and whether a species is sampled."""
    structure = ordering.structure
    sites = (np.round(structure.frac_coords, 3) % 1.0).tolist()
    rows = sorted((site.specie.symbol, *place) for site, place in zip(structure, sites, strict=True))
    axes = np.round(structure.lattice.matrix, 2).tolist()
    return hashlib.sha256(repr((ordering.mobile, axes, rows)).encode()).hexdigest()[:6]


def _start(ordering: FoundOrdering) -> Start:
    """Return an ordering as it stands, or with its mobile species sampled from where it stands."""
    if ordering.mobile is None:
        return FinishedStructure.of(ordering.structure, ordering.source)
    framework = ordering.structure.copy()
    sites = np.array([site.frac_coords for site in framework if site.specie.symbol == ordering.mobile])
    framework.remove_species([ordering.mobile])
    given = GivenHost(Host(framework=framework, guests={ordering.mobile: len(sites)}))
    return PrototypeSites(given, sites, start_sigma=_START_SIGMA, source=ordering.source)
