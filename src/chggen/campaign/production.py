"""From jobs to candidates: sample, screen, relax, refine, batch by batch.

A job says all that its candidate depends on, so batches may be cut and spread in any way.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, cast

import numpy as np
import torch

from chggen.campaign.evaluation import with_space_groups
from chggen.campaign.parts import parts_of
from chggen.campaign.relax_and_refine import relax_candidates
from chggen.campaign.resources import Resources
from chggen.campaign.volume_basins import in_lower_basins
from chggen.crystals import from_structures, to_structures
from chggen.diffusion import ScoreModel
from chggen.execution import Failure, at_stage
from chggen.generation import (
    NOT_FINITE,
    FinishedStart,
    Job,
    Kind,
    PlacedMolecules,
    SettlingStart,
    batched_hosts,
    caps_of,
    reject_reason,
    walls_of,
)
from chggen.io import with_held_atoms
from chggen.potential import Potential, energies_of
from chggen.results import ENERGY_ERROR, Candidate, failed
from chggen.sampling import NO_SYMMETRY, Begin, OrbitSymmetry, together

if TYPE_CHECKING:
    from pymatgen.core import Structure

log = logging.getLogger(__name__)
# What a candidate takes on one core, roughly, as measured for cells of 3 to 30 atoms:
_SECONDS_A_SAMPLE: Final = {"fast": 0.2, "best": 0.4}
_SECONDS_A_RELAXATION: Final = 0.5
_SECONDS_AN_ATOM: Final = 0.05
_SECONDS_OF_ORBITS: Final = {"fast": 1.5, "best": 4.0}  # more, where many tries on drawn orbits race


def make_candidates(jobs: Sequence[Job], resources: Resources) -> Iterator[tuple[Sequence[int], list[Candidate]]]:
    """Make the candidates of a batch of jobs: sample, screen, relax, refine.

    A candidate that fails at a stage is marked as failed there, and the others go on. All are sampled together, since
    that saves most; then small crystals are relaxed some at a time and large ones one by one, and handed over.

    Args:
        jobs: The jobs.
        resources: Models and options to make them with.

    Yields:
        Places of some jobs, and their candidates in the order of the jobs. The lower candidate that a saddle falls to
        comes right behind the saddle.
    """
    with at_stage("sample"):
        jobs, raw = (_contested if resources.by_energy else _mended)(jobs, resources)
    with at_stage("screen"):
        candidates = [_screened(job, structure, resources.held) for job, structure in zip(jobs, raw, strict=True)]
    going_on = [k for k, c in enumerate(candidates) if c.status == "ok"]
    if len(going_on) < len(candidates):
        bad = [k for k, c in enumerate(candidates) if c.status != "ok"]
        yield bad, [candidates[k] for k in bad]
    for places in [[k] for k in going_on] if resources.relax is None else parts_of(going_on, candidates, resources):
        some = [candidates[k] for k in places]
        if resources.relax is None:
            with at_stage("refine"):
                some = [with_space_groups(c) for c in some]
        else:
            with at_stage("relax"):
                some = relax_candidates(some, resources, [jobs[k].start.symmetric for k in places])
                some = in_lower_basins(some, resources)
        yield places, some


def sample_jobs(jobs: Sequence[Job], resources: Resources) -> list[Structure | str]:
    """Sample the raw structures of jobs.

    Jobs of one kind, which are sampled by the same recipe, share a batch. Kinds go on side by side and share the
    evaluations of the network; code of others is called from this thread alone, which time limits reach.

    Args:
        jobs: The jobs.
        resources: Score model and recipes to sample with.

    Returns:
        For each job its raw structure, or the reason why there is none.
    """
    found: list[Structure | str] = [""] * len(jobs)
    kinds: dict[int, Kind] = {}
    for k, job in enumerate(jobs):
        if isinstance(job.start, FinishedStart):
            found[k] = job.start.finished
        elif isinstance(job.start, PlacedMolecules):
            found[k] = job.start.placed(job.candidate.seed, resources.potential() if resources.by_energy else None)
        else:
            kinds[k] = Kind.of(job.start)
    groups = {kind: [k for k, other in kinds.items() if other == kind] for kind in dict.fromkeys(kinds.values())}
    runs = [partial(_sampled_alike, [jobs[k] for k in own], kind, resources) for kind, own in groups.items()]
    score = resources.score()
    sampled = [run(score) for run in runs] if resources.foreign else together(score, runs)
    for own, made in zip(groups.values(), sampled, strict=True):
        for k, structure in zip(own, made, strict=True):
            start = jobs[k].start
            found[k] = start.settled(structure) if isinstance(start, SettlingStart) else structure
    return found


def expected_seconds(job: Job, resources: Resources) -> float:
    """Return what a job takes on one core, s, roughly.

    Args:
        job: The job.
        resources: What is done to it.
    """
    quality, relaxes = resources.sampler.quality, resources.relax is not None
    total = _SECONDS_A_SAMPLE[quality] + _SECONDS_AN_ATOM * sum(job.start.species.values())
    total += _SECONDS_A_RELAXATION * relaxes
    if relaxes and job.start.on_orbits and job.start.start_sigma is None:
        total += _SECONDS_OF_ORBITS[quality]
    return total


def lost_job(job: Job, failure: Failure) -> list[Candidate]:
    """Return what stands for a job whose worker died or failed in a way that no stage knows: a failed row.

    Args:
        job: The job.
        failure: What happened.
    """
    return [failed(job.candidate, failure.stage or "sample", failure.reason)]


def _contested(jobs: Sequence[Job], resources: Resources) -> tuple[list[Job], list[Structure | str]]:
    """Sample jobs and their rivals, and return the jobs and samples that win.

    A rival wins if its sample is sound and the other is not, or if it lies clearly lower. One that cannot be sampled
    or compared loses.
    """
    rivals = {k: job.rival for k, job in enumerate(jobs) if job.rival is not None}
    final = list(jobs)
    try:
        made = sample_jobs([*jobs, *rivals.values()], resources)
    except Exception:  # of any kind: one of a rival must not cost the candidates
        if not rivals:
            raise
        made = sample_jobs(jobs, resources) + _each_or_none(list(rivals.values()), resources)
    others = dict(zip(rivals, made[len(jobs) :], strict=True))
    del made[len(jobs) :]
    running = [k for k, rival in rivals.items() if _sound(others[k], rival)]
    equal = [k for k in running if _sound(made[k], jobs[k])]
    pairs = [(cast("Structure", others[k]), cast("Structure", made[k])) for k in equal]
    lower = dict(zip(equal, _lower_or_not(pairs, resources), strict=True))
    for k in running:
        if lower.get(k, True):
            final[k], made[k] = rivals[k], others[k]
    return final, made


def _mended(jobs: Sequence[Job], resources: Resources) -> tuple[list[Job], list[Structure | str]]:
    """Sample jobs, and the rivals of those that came to nothing; a rival wins if its sample is sound."""
    final, made = list(jobs), sample_jobs(jobs, resources)
    rivals = {k: job.rival for k, job in enumerate(jobs) if job.rival is not None and not _sound(made[k], job)}
    if rivals:
        for (k, rival), other in zip(rivals.items(), _each_or_none(list(rivals.values()), resources), strict=True):
            if _sound(other, rival):
                final[k], made[k] = rival, other
    return final, made


def _sound(made: Structure | str, job: Job) -> bool:
    """Return whether the sample of a job is a structure that passes the screen."""
    return not isinstance(made, str) and reject_reason(made, job.start.species) is None


def _each_or_none(jobs: Sequence[Job], resources: Resources) -> list[Structure | str]:
    """Sample jobs together, or one by one where that fails; an empty text for one that cannot be sampled."""
    try:
        return sample_jobs(jobs, resources)
    except Exception:  # of any kind: it must not cost the candidate
        if len(jobs) > 1:
            return [made for job in jobs for made in _each_or_none([job], resources)]
        log.warning("%s: its rival is out of the race", jobs[0].candidate.id, exc_info=True)
        return [""]


def _lower_or_not(pairs: Sequence[tuple[Structure, Structure]], resources: Resources) -> list[bool]:
    """Compare rivals with samples together, or pair by pair where that fails; one that cannot be compared loses."""
    if not pairs:
        return []
    try:
        return clearly_lower([rival for rival, _ in pairs], [own for _, own in pairs], resources.potential())
    except Exception:  # of any kind: it must not cost the candidate
        if len(pairs) > 1:
            return [lower for pair in pairs for lower in _lower_or_not([pair], resources)]
        log.warning("a rival of %s is out of the race", pairs[0][1].composition.formula, exc_info=True)
        return [False]


def clearly_lower(rivals: Sequence[Structure], samples: Sequence[Structure], potential: Potential) -> list[bool]:
    """Return whether rivals lie below samples by more than the potential's error, all without any relaxation.

    Args:
        rivals: The structures that would take the places of the samples.
        samples: For each the structure of the same composition that it is compared with.
        potential: What gives the energies.
    """
    if not rivals:
        return []
    energy = energies_of(potential, from_structures([*rivals, *samples])).energy.nan_to_num(nan=torch.inf)
    counts = torch.tensor([len(structure) for structure in rivals]).to(energy)
    low, high = (part / counts for part in energy.split(len(rivals)))
    return [bool(is_lower) for is_lower in low < high - ENERGY_ERROR]


def _sampled_alike(jobs: Sequence[Job], kind: Kind, resources: Resources, score: ScoreModel) -> list[Structure]:
    """Sample jobs of one kind in one batch."""

    def start(which: Sequence[int], seeds: Sequence[int]) -> Begin:
        with at_stage("draw"):
            cell_drawer = resources.cell_drawer()
            drawn = [jobs[k].start.draw(seed, cell_drawer) for k, seed in zip(which, seeds, strict=True)]
        hosts, orbits = zip(*drawn, strict=True)
        crystals = batched_hosts(hosts).to(resources.device)
        symmetry = OrbitSymmetry.of(orbits, crystals) if any(orbits) else NO_SYMMETRY
        walls, caps = walls_of(hosts, crystals), caps_of(hosts, crystals)
        return Begin(crystals=crystals, symmetry=symmetry, walls=walls, caps=caps)

    seeds = [job.candidate.seed for job in jobs]
    return list(to_structures(resources.recipe(kind).run(score, start, seeds)))


def _screened(job: Job, made: Structure | str, elements: Sequence[str]) -> Candidate:
    """Return the candidate of a raw structure, failed where there is none or where it is no sound crystal."""
    if isinstance(made, str):
        return failed(job.candidate, "draw", made)
    reason = reject_reason(made, job.start.species)
    if reason == NOT_FINITE:  # no structure to keep: spglib would take the whole process down with it
        return failed(job.candidate, "screen", reason)
    if job.held is not None:
        made = with_held_atoms(made, job.held)
    if elements:
        made = with_held_atoms(made, np.array([site.specie.symbol in elements for site in made]))
    candidate = replace(job.candidate, raw=made, structure=made)
    return failed(candidate, "screen", reason) if reason else candidate
