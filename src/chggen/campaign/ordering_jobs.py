"""Orderings: the candidates of a disordered structure, from its cell and its lowest orderings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from chggen.campaign.options import OrderOptions
from chggen.crystals import parse_formula, plain_formula
from chggen.errors import InputError
from chggen.generation import (
    FinishedStructure,
    FoundOrdering,
    GivenHost,
    Host,
    Job,
    PrototypeSites,
    Start,
    default_guests,
    low_orderings,
    ordering_cell,
    read_disorder,
)
from chggen.potential import Potential
from chggen.results import Candidate

if TYPE_CHECKING:
    from pymatgen.core import Structure

_SHARE: Final = 4  # one of so many candidates is sampled, where both ways share the budget
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
                f"one of {', '.join(sorted(self.disorder.composition))}"
            )
        self._cell = ordering_cell(self.disorder, options.max_atoms, options.tolerance, composition)

    @property
    def notes(self) -> list[str]:
        """What was rounded or not taken as it stood, a sentence each."""
        from pymatgen.core import Composition

        cell, disorder = self._cell, self.disorder
        found = list(disorder.notes)
        if disorder.is_ordered:
            return [*found, "no site is shared or empty at times: the structure is relaxed as it is"]
        formula = plain_formula(Composition(cell.species))
        said = f"{formula} in {cell.atoms} atoms, {cell.cells} average cell{'s' * (cell.cells > 1)}"
        off = f"shares of species lie up to {cell.off:.2g} off their occupancies" if cell.off > 1e-6 else "exactly"
        found.append(f"{said}; {off}")
        if cell.neutral is None:
            found.append("no oxidation states balance the occupancies, so the cell need not be neutral")
        return found

    def jobs(self, potential: Potential) -> list[Job]:
        """Return the jobs of the candidates.

        Args:
            potential: What compares orderings before they are relaxed.
        """
        options = self.options
        if self.disorder.is_ordered:
            held = low_orderings(self.disorder, self._cell, potential, 1, options.seed, self._cell.atoms)
            return [self._job(0, FinishedStructure.of(held[0].structure, held[0].source))]
        mobile = default_guests(self._cell.species) if options.orderings_from != "lattice" else ()
        n_guests = 0 if not mobile else options.n if options.orderings_from == "guests" else options.n // _SHARE
        if not mobile and options.orderings_from == "guests":
            raise InputError(
                "guests need a mobile species such as Li in the structure; use --orderings-from lattice or auto"
            )
        found = low_orderings(self.disorder, self._cell, potential, options.n, options.seed, options.max_atoms)
        lattice = [FinishedStructure.of(ordering.structure, ordering.source) for ordering in found]
        starts: list[Start] = [*lattice[: options.n - n_guests]]
        starts += [_sampled(ordering, mobile[0]) for ordering in found[: options.n - len(starts)] if mobile]
        starts += lattice[options.n - n_guests :][: options.n - len(starts)]
        return [self._job(k, start) for k, start in enumerate(starts)]

    def _job(self, k: int, start: Start) -> Job:
        from pymatgen.core import Composition

        formula = plain_formula(Composition(self._cell.species))
        seed = int(np.random.default_rng([self.options.seed, k]).integers(2**62))
        candidate = Candidate(
            id=f"{formula}-{sum(start.species.values())}-{k:03d}",
            stage="order",
            formula=formula,
            seed=seed,
            seed_source=start.source,
        )
        return Job(candidate=candidate, start=start)


def _sampled(ordering: FoundOrdering, mobile: str) -> PrototypeSites:
    """Return an ordering whose mobile species is sampled from where it stands."""
    framework = ordering.structure.copy()
    sites = np.array([site.frac_coords for site in framework if site.specie.symbol == mobile])
    framework.remove_species([mobile])
    given = GivenHost(Host(framework=framework, guests={mobile: len(sites)}))
    return PrototypeSites(given, sites, start_sigma=_START_SIGMA, source="guests")
