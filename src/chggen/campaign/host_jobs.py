"""Which fillings of a host a run asks for, and what each starts from."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from chggen.campaign.options import InpaintOptions, PredictOptions
from chggen.crystals import plain_formula
from chggen.errors import InputError
from chggen.generation import (
    AUTO,
    AnywhereGuests,
    GivenHost,
    Host,
    Job,
    PrototypeGuests,
    Start,
    default_guests,
    fillings,
    on_orbits,
    strip_guests,
    symmetrised,
)
from chggen.io import MAX_ATOMS
from chggen.results import Candidate, failed
from chggen.symmetry import Refined, operations, symmetrised_framework

if TYPE_CHECKING:
    from pymatgen.core import Structure

log = logging.getLogger(__name__)
_FREE_SHARE: Final = {"mixed": 0.25, "host": 0.0, "none": 1.0}  # of fillings whose guests are placed anywhere


def guests_of(species: Mapping[str, int], asked: Sequence[str]) -> tuple[str, ...]:
    """The guest species of a composition: those asked for, or its most mobile one, if any. Raises InputError."""
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
    """The guest species of every formula of a run; of a system, none where a formula has no host beside its guests.

    Raises InputError as guests_of does, for one formula.
    """
    found = {}
    for symbol in options.guests:
        if options.system and not any(symbol in species for species in formulas.values()):
            raise InputError(f"guest '{symbol}' is in no formula of the run; expected one that is")
    for formula, species in formulas.items():
        try:
            found[formula] = guests_of(species, options.guests)
        except InputError:
            if not options.system:
                raise
            found[formula] = ()
    return found


def framework_jobs(parent: Candidate, guests: Sequence[str], options: PredictOptions) -> list[Job] | Candidate:
    """The inpainting jobs for a parent's symmetrised framework, or the one failed candidate where there is none.

    A framework may have more symmetry than the crystal that it came from, so half of the tries on orbits are on those
    of subgroups as large as the crystal's group.
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
        free = Host(framework=refined.structure, guests=host.guests)
    except InputError as error:  # atoms that relaxing or symmetrising brought too close
        return failed(candidate, "refine", str(error))
    share = _FREE_SHARE[options.symmetry]
    symmetric = _on_orbits_if_they_fit(free, parent.id, len(operations(crystal)[0])) if share < 1 else free
    jobs = []
    for k in range(options.per_framework):
        seed = _framework_seed(parent, options, k)
        anywhere = np.random.default_rng([seed, 0]).random() < share
        filling = replace(candidate, id=f"{parent.id}-i{k}", seed=seed)
        jobs.append(Job(candidate=filling, start=GivenHost(free if anywhere else symmetric)))
    return jobs


def with_framework(candidate: Candidate, refined: Refined) -> Candidate:
    """The candidate with how far symmetrising moved its framework."""
    return replace(
        candidate, framework_symprec=refined.symprec, framework_rms=refined.rms, framework_max=refined.largest
    )


def _framework_seed(parent: Candidate, options: PredictOptions, k: int) -> int:
    return int(np.random.default_rng([options.seed, parent.seed, k]).integers(2**62))


def _on_orbits_if_they_fit(host: Host, name: str, order: int) -> Host:
    try:
        return on_orbits(host, order)
    except InputError as error:
        log.info("%s: guests placed without symmetry: %s", name, error)
        return host


def inpaint_jobs(host: Structure, options: InpaintOptions) -> list[Job]:
    """n jobs with the same host; guests are added to what it holds. The last has the next start for a rival.

    Guests from `auto` leave known prototypes and orbits alone where the host is noised, which asks for the paper's way.
    """
    framework = host.copy()
    n_atoms = len(host) * math.prod(options.supercell)
    if n_atoms > MAX_ATOMS:
        raise InputError(f"that supercell has {n_atoms} atoms; expected at most {MAX_ATOMS}, so ask for a smaller one")
    if options.sampler.anchor == "paper" and options.guests_from == PrototypeGuests.name:
        raise InputError("anchor paper starts guests anywhere, not on sites of prototypes; use clamp or renoise")
    if options.supercell != (1, 1, 1):
        framework.make_supercell(options.supercell)
    moved = symmetrised(framework) if options.symmetry == "host" else None
    filled = Host(framework=framework if moved is None else moved.structure, guests=options.guests)
    if moved is not None:
        filled = on_orbits(filled)
    formula = _formula(framework, options.guests)
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
        return Job(candidate=candidate, start=start)

    *starts, spare = fillings(filled, options.n + 1, guests_from)
    jobs = [job(index, start) for index, start in enumerate(starts)]
    if spare is not starts[-1]:
        jobs[-1] = replace(jobs[-1], rival=job(options.n - 1, spare))
    return jobs


def _formula(framework: Structure, guests: Mapping[str, int]) -> str:
    from pymatgen.core import Composition

    return plain_formula(framework.composition + Composition(dict(guests)))
