"""Jobs of filling a host with guests: which fillings a run asks for, and what each of them starts from."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from chggen.campaign.inpaint_host import InpaintHost
from chggen.campaign.options import PredictOptions
from chggen.campaign.structure_options import InpaintOptions
from chggen.crystals import plain_formula
from chggen.errors import InputError
from chggen.execution import Failure
from chggen.generation import (
    AUTO,
    AnywhereGuests,
    GivenHost,
    Host,
    Job,
    PlacedMolecules,
    Start,
    by_energy,
    default_guests,
    fillings,
    on_orbits,
    same_start,
    strip_guests,
    symmetrised,
)
from chggen.results import Candidate, failed
from chggen.symmetry import Refined, operations, symmetrised_framework

if TYPE_CHECKING:
    from pymatgen.core import Structure

log = logging.getLogger(__name__)
_SHARE_ANYWHERE: Final = {"mixed": 0.25, "host": 0.0, "none": 1.0}  # share of fillings whose guests start anywhere


def guests_of(species: Mapping[str, int], asked: Sequence[str]) -> tuple[str, ...]:
    """Return the guest species of a composition: those asked for, else the most mobile one.

    Args:
        species: Element symbol to number of atoms in the formula.
        asked: Guest symbols that the user named; empty for a choice by chggen.

    Returns:
        Guest symbols. Empty where none were asked for and no species counts as mobile, which the log says.

    Raises:
        InputError: A guest is not in the formula, or all of its species are guests.
    """
    for symbol in asked:
        if symbol not in species:
            raise InputError(f"guest '{symbol}' is not in the formula; expected one of {', '.join(species)}")
    guests = tuple(asked) or default_guests(species)
    if not guests:
        log.info("no mobile species among %s: de novo candidates only, no guests", ", ".join(species))
    elif set(guests) == set(species):
        raise InputError(f"all species ({', '.join(species)}) are guests; expected at least one to be the host")
    return guests


def guests_by_formula(formulas: Mapping[str, Mapping[str, int]], options: PredictOptions) -> dict[str, tuple[str, ...]]:
    """Return the guest species of every formula of a run.

    In a run over several formulas, or over a system, a formula has no guests where it lacks one of those asked for or
    would keep no host.

    Args:
        formulas: Formula to its content, element symbol to number of atoms.
        options: Options of the run.

    Returns:
        Formula to guest symbols.

    Raises:
        InputError: A guest is in no formula of the run. In a run of one formula, also for what `guests_of` refuses.
    """
    found = {}
    several = bool(options.system or options.formulas)
    for symbol in options.guests:
        if several and not any(symbol in species for species in formulas.values()):
            raise InputError(f"guest '{symbol}' is in no formula of the run; expected one that is")
    for formula, species in formulas.items():
        try:
            found[formula] = guests_of(species, options.guests)
        except InputError:
            if not several:
                raise
            found[formula] = ()
    return found


def framework_jobs(parent: Candidate, guests: Sequence[str], options: PredictOptions) -> list[Job] | Candidate:
    """Return the jobs that put the guests of a crystal back into its symmetrised framework.

    A framework may have more symmetry than the crystal that it came from. Half of the draws of orbits therefore use
    subgroups of the framework's group that are as large as the group of the crystal, where there are such.

    Args:
        parent: A good de novo candidate, whose structure has the guests.
        guests: Symbols of the guests that are taken out and placed anew.
        options: Options of the run: number of fillings, how many of them on orbits, and the seed.

    Returns:
        One job for each filling. Where there is no framework with symmetry, a single failed candidate that says why.
    """
    candidate = Candidate(
        id=f"{parent.id}-i0",
        parent=parent.id,
        stage="inpaint",
        formula=parent.formula,
        seed=_framework_seed(parent, options, 0),
        seed_source=parent.seed_source,
    )
    crystal = cast("Structure", parent.structure)
    try:
        host = strip_guests(crystal, guests)
        refined = symmetrised_framework(host.framework)
        if refined is None:
            return failed(candidate, "refine", "no tolerance up to 2 Å gives the framework a group above P1 and P-1")
        candidate = with_framework(candidate, refined)
        free_host = Host(framework=refined.structure, guests=host.guests)
        share = _SHARE_ANYWHERE[options.symmetry]
        orbit_host = free_host
        if share < 1:
            orbit_host = _on_orbits_if_they_fit(free_host, parent.id, len(operations(crystal)[0]))
    except Exception as error:  # such as atoms that relaxing or symmetrising brought too close
        log.info("%s: no framework", parent.id, exc_info=not isinstance(error, InputError))
        return failed(candidate, "refine", Failure.of(error).reason)
    jobs = []
    for k in range(options.per_framework):
        seed = _framework_seed(parent, options, k)
        anywhere = np.random.default_rng([seed, 0]).random() < share
        filling = replace(candidate, id=f"{parent.id}-i{k}", seed=seed)
        jobs.append(Job(candidate=filling, start=GivenHost(free_host if anywhere else orbit_host)))
    return jobs


def with_framework(candidate: Candidate, refined: Refined) -> Candidate:
    """Return a candidate with how far symmetrising moved its framework.

    Args:
        candidate: A candidate with guests in a symmetrised framework.
        refined: The symmetrised framework.

    Returns:
        The candidate with `framework_symprec`, `framework_rms` and `framework_max`, in Å.
    """
    return replace(
        candidate, framework_symprec=refined.symprec, framework_rms=refined.rms, framework_max=refined.largest
    )


def _framework_seed(parent: Candidate, options: PredictOptions, k: int) -> int:
    """Return the seed of the k-th filling of a parent's framework."""
    return int(np.random.default_rng([options.seed, parent.seed, k]).integers(2**62))


def _on_orbits_if_they_fit(host: Host, name: str, order: int) -> Host:
    """Return a host with its guests on orbits, or as it is where they fit none; `order` as in `on_orbits`."""
    try:
        return on_orbits(host, order)
    except InputError as error:
        log.info("%s: guests placed without symmetry: %s", name, error)
        return host


def inpaint_jobs(host: Structure | InpaintHost, options: InpaintOptions) -> list[Job]:
    """Return the n jobs that add guests to a given host.

    With guests from `auto`, known prototypes, orbits and the host's own pattern are used only where the anchor is
    `clamp`. The other anchors noise the host as the paper does, and there guests start anywhere.

    Where molecules are among the guests, all guests are placed whole, in every job. Otherwise the last job has a rival:
    the same candidate from the next start in line. Where runs choose by energy, the rival takes the place of the last
    job if its sample lies clearly lower.

    Args:
        host: The host, as it was given or as it is asked for. Guests are added to what it holds.
        options: Options of the run.

    Returns:
        n jobs in the order of their ids.

    Raises:
        InputError: The supercell is too large, the options contradict each other, or the guests do not fit the host.
    """
    asked = host if isinstance(host, InpaintHost) else InpaintHost.of(host, options)
    moved = symmetrised(asked.framework) if options.symmetry == "host" else None
    caps = None
    if asked.giving is not None:
        guests = np.full(sum(asked.guests.values()), np.inf)
        caps = np.concatenate([np.where(asked.giving, options.host_sigma, np.inf), guests])
    filled = Host(
        framework=asked.framework if moved is None else moved.structure,
        guests=asked.atoms,
        regions=asked.regions,
        caps=caps,
    )
    if moved is not None:
        filled = on_orbits(filled)
    formula = formula_of(asked.framework, asked.atoms)
    guests_from = options.guests_from
    if options.sampler.anchor != "clamp" and guests_from == AUTO:
        guests_from = AnywhereGuests.name

    def job(index: int, start: Start) -> Job:
        rng = np.random.default_rng([options.seed, index])
        candidate = Candidate(
            id=f"{formula}-i{index:04d}",
            stage="inpaint",
            formula=formula,
            seed=int(rng.integers(2**62)),
            seed_source=start.source,
        )
        if moved is not None:
            candidate = with_framework(candidate, moved)
        return Job(candidate=candidate, start=start, held=asked.held)

    if asked.molecules:
        placed = PlacedMolecules(filled, guests=asked.guests)
        return [job(index, placed) for index in range(options.n)]
    *starts, spare = fillings(filled, options.n + 1, guests_from, by_energy(options.sampler, options.relax))
    jobs = [job(index, start) for index, start in enumerate(starts)]
    if not same_start(spare, starts[-1]):
        jobs[-1] = replace(jobs[-1], rival=job(options.n - 1, spare))
    return jobs


def formula_of(framework: Structure, guests: Mapping[str, int]) -> str:
    """Return the reduced formula of a framework with its guests.

    Args:
        framework: The framework.
        guests: Element symbol to number of guests.
    """
    from pymatgen.core import Composition

    return plain_formula(framework.composition + Composition(dict(guests)))
