"""The arms of a comparison: the model and random placement on the same hosts, relaxed by the same potential."""

from __future__ import annotations

import functools
import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from hosts import Case, cases, random_placement, verdict
from pymatgen.core import Structure

from chggen.campaign import Resources, clearly_lower, sample_jobs
from chggen.crystals import to_structures
from chggen.generation import (
    GivenHost,
    Host,
    Job,
    LowestEnergy,
    SamplerOptions,
    batched_hosts,
    beside_analogues,
    fillings,
    same_start,
)
from chggen.potential import load_potential
from chggen.relaxation import Relaxed, RelaxOptions, relax
from chggen.results import Candidate
from chggen.sampling import Recipe, recipe
from chggen.score import load_score_model

Part = TypeVar("Part")
ROWS = ("li-small", "h-small", "mobile-large", "any-species", "half", "all-atoms")
UNKNOWN = ("unknown-mobile", "unknown-half")  # crystals of no known prototype, see choose_unknown.py
_ATOMS_PER_BATCH = 320
_HOSTS_PER_TASK = 12
_LOWER = 0.001  # eV/atom


@dataclass
class Arm:
    """Samples of one method, [host][sample], and what they cost in CPU seconds.

    lower: of each host that no relaxed sample hits, whether one lies clearly below the crystal, relaxed alike.
    """

    name: str
    found: list[Case]
    raw: list[list[Structure]]
    seconds: float
    relaxed: list[list[Relaxed]] = field(default_factory=list)
    relax_seconds: float = 0.0
    lower: list[bool] = field(default_factory=list)
    verdicts: dict[bool, list[list[tuple[bool, bool]]]] = field(default_factory=dict)

    def hits(self, relaxed: bool, match_only: bool) -> np.ndarray:
        """(hosts, samples) of True for a hit."""
        verdicts = self._verdicts(relaxed)
        return np.array([[match if match_only else hit for match, hit in row] for row in verdicts])

    def _verdicts(self, relaxed: bool) -> list[list[tuple[bool, bool]]]:
        """Match and hit of each sample, computed once; what relaxation left as it was is not compared again."""
        if relaxed not in self.verdicts:
            if relaxed:
                before = self._verdicts(False)
                self.verdicts[True] = [
                    [old if r.n_steps == 0 else verdict(c, r.structure) for old, r in zip(olds, row, strict=True)]
                    for c, olds, row in zip(self.found, before, self.relaxed, strict=True)
                ]
            else:
                self.verdicts[False] = [
                    [verdict(c, s) for s in row] for c, row in zip(self.found, self.raw, strict=True)
                ]
        return self.verdicts[relaxed]

    def guest_moves(self) -> list[float]:
        """Root mean square displacement of each sample's guests on relaxation in a fixed cell, Å."""
        moves = []
        for case, before, after in zip(self.found, self.raw, self.relaxed, strict=True):
            n = len(case.framework)
            for old, new in zip(before, after, strict=True):
                step = new.structure.frac_coords[n:] - old.frac_coords[n:]
                cart = old.lattice.get_cartesian_coords(step - np.round(step))
                moves.append(float(np.sqrt((cart**2).sum(axis=1).mean())))
        return moves

    def drops(self) -> list[float]:
        """Energy lost by each sample on relaxation, eV/atom."""
        flat = [r for row in self.relaxed for r in row]
        return [
            r.initial_energy_per_atom - r.energy_per_atom
            for r in flat
            if r.energy_per_atom is not None and r.initial_energy_per_atom is not None
        ]


def sampled(
    found: Sequence[Case], numbers: Sequence[int], n: int, model: torch.nn.Module, how: Recipe
) -> list[list[Structure]]:
    """n samples a host, guests anywhere."""
    hosts = [Host(framework=case.framework, guests=case.counts) for case in found]
    made = _filled({(h, k): host for h, host in enumerate(hosts) for k in range(n)}, numbers, model, how)
    return [[made[h, k] for k in range(n)] for h in range(len(found))]


def begun_known(
    found: Sequence[Case], numbers: Sequence[int], n: int, model: torch.nn.Module, how: Recipe, quality: str
) -> list[list[Structure]]:
    """n samples a host on known prototypes and anywhere (`how`) in turn, in the order of `chggen inpaint`."""
    starts = {}
    for h, case in enumerate(found):
        host = Host(framework=case.framework, guests=case.counts)
        starts |= {(h, k): start for k, start in enumerate(beside_analogues(host, n, [GivenHost(host)]))}
    made: dict[tuple[int, int], Structure] = {}
    for start_sigma in {start.start_sigma for start in starts.values()}:
        settling = how if start_sigma is None else recipe("clamp", quality=quality, top=start_sigma)
        hosts = {job: start.draw(0)[0] for job, start in starts.items() if start.start_sigma == start_sigma}
        made |= _filled(hosts, numbers, model, settling)
    return [[made[h, k] for k in range(n)] for h in range(len(found))]


def as_inpaint(found: Sequence[Case], numbers: Sequence[int], n: int, resources: Resources) -> list[list[Structure]]:
    """n samples a host as a run of `chggen inpaint` makes them, but the first is what a run of one makes."""
    jobs = {}
    for h, case in enumerate(found):
        for k, start in enumerate(fillings(Host(framework=case.framework, guests=case.counts), n + 1)):
            candidate = Candidate(id="", stage="inpaint", formula="", seed=1000 * numbers[h] + k)
            jobs[h, k] = Job(candidate=candidate, start=start)
    made: dict[tuple[int, int], Structure | str] = {}
    for part in _batches({job: len(found[job[0]].crystal) for job in jobs}):
        made |= zip(part, sample_jobs([jobs[job] for job in part], resources), strict=True)
    rows = [[made[h, k] for k in range(n + 1)] for h in range(len(found))]
    for k in dict.fromkeys((n - 1, 0)):  # the last of a run may give way to what would follow; so may a single one
        elsewhere = [h for h in range(len(found)) if not same_start(jobs[h, k + 1].start, jobs[h, k].start)]
        rivals, samples = ([rows[h][j] for h in elsewhere] for j in (k + 1, k))
        for h, lower in zip(elsewhere, clearly_lower(rivals, samples, resources.potential()), strict=True):
            if lower:
                rows[h][k], rows[h][k + 1] = rows[h][k + 1], rows[h][k]
    return [row[:n] for row in rows]


def _filled(
    hosts: Mapping[tuple[int, int], Host], numbers: Sequence[int], model: torch.nn.Module, how: Recipe
) -> dict[tuple[int, int], Structure]:
    """The k-th sample of host h for each (h, k); its seed depends on k and the number of the host alone."""
    made: dict[tuple[int, int], Structure] = {}
    for part in _batches({job: len(host.framework) + sum(host.guests.values()) for job, host in hosts.items()}):
        crystals = how.run(model, batched_hosts([hosts[job] for job in part]), [1000 * numbers[h] + k for h, k in part])
        made |= zip(part, to_structures(crystals), strict=True)
    return made


def _batches(sizes: Mapping[tuple[int, int], int]) -> Iterator[list[tuple[int, int]]]:
    """What has these numbers of atoms, in batches of alike ones."""
    work = sorted(sizes, key=lambda job: (sizes[job], *job))
    while work:
        n = max(1, _ATOMS_PER_BATCH // sizes[work[-1]])
        part, work = work[-n:], work[:-n]
        yield part


def placed(found: Sequence[Case], numbers: Sequence[int], n: int) -> list[list[Structure]]:
    """n random placements a host, seeded like the samples."""
    return [
        [random_placement(case, np.random.default_rng([h, k])) for k in range(n)]
        for h, case in zip(numbers, found, strict=True)
    ]


def run_arm(
    name: str,
    row: str,
    data: Path,
    *,
    hosts: int,
    samples: int,
    how: Recipe,
    quality: str = "best",
    levels: int | None = None,
    model: Path | None = None,
    relaxed: bool = False,
    workers: int = 1,
) -> Arm:
    """All samples of an arm in a row, spread over processes of one thread each.

    `model`: the recipe; `known`: known prototypes of the host and the recipe, in turn; `energy`: the recipe, CHGNet's
    energy the judge of its tries; `program`: as `chggen inpaint` does; `random`: random placement.
    """
    total = len(cases(row, data, hosts))
    work = functools.partial(_part_of_arm, name, row, data, hosts, samples, how, quality, levels, model, relaxed)
    parts = spread(work, total, _HOSTS_PER_TASK, workers)
    arm = parts[0]
    for part in parts[1:]:
        arm.found += part.found
        arm.raw += part.raw
        arm.relaxed += part.relaxed
        arm.seconds += part.seconds
        arm.relax_seconds += part.relax_seconds
        arm.lower += part.lower
        for relaxed_too, found in part.verdicts.items():
            arm.verdicts[relaxed_too] += found
    return arm


def spread(work: Callable[[list[int]], Part], total: int, size: int, workers: int) -> list[Part]:
    """What `work` makes of the host numbers 0 … total − 1, `size` at a time and in their order."""
    numbers = [list(range(k, min(k + size, total))) for k in range(0, total, size)]
    if workers == 1:
        return [work(n) for n in numbers]
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(work, numbers))


def _part_of_arm(
    name: str,
    row: str,
    data: Path,
    hosts: int,
    n: int,
    how: Recipe,
    quality: str,
    levels: int | None,
    path: Path | None,
    relaxed: bool,
    numbers: list[int],
) -> Arm:
    torch.set_num_threads(1)
    found = [cases_of(row, data, hosts)[h] for h in numbers]
    model = None if name == "random" else model_of(path)
    if name == "energy":
        how = replace(how, choice=replace(how.choice, judge=LowestEnergy(load_potential("chgnet"))))
    began = time.process_time()
    if model is None:
        raw = placed(found, numbers, n)
    elif name == "known":
        raw = begun_known(found, numbers, n, model, how, quality)
    elif name == "program":
        sampler = SamplerOptions(model=path, quality=quality, levels=levels)
        resources = Resources(sampler=sampler, relax=RelaxOptions(), loaded={"score": model})
        raw = as_inpaint(found, numbers, n, resources)
    else:
        raw = sampled(found, numbers, n, model, how)
    arm = Arm(name, found, raw, time.process_time() - began)
    if relaxed:
        began = time.process_time()
        done = _relaxed([s for row in raw for s in row])
        arm.relax_seconds = time.process_time() - began
        arm.relaxed = [done[k : k + n] for k in range(0, len(done), n)]
        missed = [k for k, hit in enumerate(arm.hits(True, row == "all-atoms")) if not hit.any()]
        crystals = _relaxed([found[k].crystal for k in missed])
        arm.lower = [
            min(end.energy_or_inf for end in arm.relaxed[k]) < crystal.energy_or_inf - _LOWER
            for k, crystal in zip(missed, crystals, strict=True)
        ]
    arm.hits(relaxed, match_only=False)  # here rather than later: comparing takes as long as sampling
    return arm


def _relaxed(structures: Sequence[Structure]) -> list[Relaxed]:
    return relax(
        structures,
        potential="chgnet",
        fix_cell=True,
        fmax=0.1,
        max_steps=150,
        optimizer="lbfgs",  # the fewest steps, for the rival too
    )


cases_of = functools.cache(cases)
model_of = functools.cache(load_score_model)


def rate(hit: np.ndarray, first: bool = False) -> str:
    """Share of hosts hit with one sample (mean over the samples, or the first of them) and with any of them, %."""
    one = 100 * (hit[:, 0] if first else hit).mean()
    return f"{one:.1f} / {100 * hit.any(axis=1).mean():.1f}" if hit.shape[1] > 1 else f"{one:.1f}"
