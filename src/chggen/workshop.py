"""From jobs to candidates: sample, screen, relax, refine, in batches, one process a core.

A job says all that its candidate depends on, so batches may be cut and spread in any way.
"""

from __future__ import annotations

import logging
import math
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch

from chggen.candidate import Candidate
from chggen.config import InputError
from chggen.crystals import Crystals, ScoreModel, to_structures
from chggen.host import Host, batched_hosts
from chggen.options import MachineOptions, RelaxOptions, SamplerOptions
from chggen.potential import POTENTIALS, Potential, load_potential
from chggen.relaxation import Relaxed, relax, write_trajectory
from chggen.sampling.choice import DenoisingError, Judge
from chggen.sampling.recipes import Recipe, recipe
from chggen.score.checkpoint import load_score_model
from chggen.screening import CLOSEST, closest_contact, reject_reason
from chggen.symmetry import refine, space_group

if TYPE_CHECKING:
    from pymatgen.core import Structure

log = logging.getLogger(__name__)
_REFINE_SYMPREC = 0.1  # Å
_REFINE_COST = 0.005  # eV/atom that symmetrising a relaxed structure may cost before it is not done


@dataclass(frozen=True, kw_only=True)
class Job:
    """A candidate to make: its identity and lineage (a Candidate without result) and the host to fill."""

    candidate: Candidate
    host: Host

    @property
    def species(self) -> dict[str, int]:
        """Element symbol → count of the filled host."""
        held = {k: int(v) for k, v in self.host.framework.composition.get_el_amt_dict().items() if v}
        return {s: held.get(s, 0) + self.host.guests.get(s, 0) for s in (*held, *self.host.guests)}


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What a worker needs: loaded once in its process."""

    sampler: SamplerOptions
    relax: RelaxOptions | None
    device: str = "cpu"
    trajectories: Path | None = None  # folder, where those of the relaxations are asked for
    loaded: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def check(self) -> None:
        """Raise InputError for a score model or a potential that cannot be loaded, before anything is written."""
        self.score()
        check_potential(self.relax)
        if self.sampler.judge == "energy" and self.relax is None:
            raise InputError("judge energy needs a potential, which an unrelaxed run has none of; use judge score")

    def score(self) -> ScoreModel:
        if "score" not in self.loaded:
            path = self.sampler.model
            self.loaded["score"] = load_score_model(path, self.device)
        return cast(ScoreModel, self.loaded["score"])

    def potential(self) -> Potential:
        assert self.relax is not None
        if "potential" not in self.loaded:
            self.loaded["potential"] = load_potential(self.relax.potential, self.device)
        return cast(Potential, self.loaded["potential"])

    def recipe(self, de_novo: bool) -> Recipe:
        s = self.sampler
        judge: Judge = LowestEnergy(self.potential()) if s.judge == "energy" else DenoisingError()
        return recipe(
            "de-novo" if de_novo else s.anchor,
            quality=s.quality,
            levels=s.levels,
            n_resample=None if de_novo else s.n_resample,
            jump_length=None if de_novo else s.jump_length,
            best_of=s.best_of,
            judge=judge,
        )


@dataclass(frozen=True)
class LowestEnergy:
    """Judge of a choice among tries: their energy as sampled, without any relaxation; overlapping atoms are last."""

    potential: Potential
    evaluations: int = 0

    def __call__(self, score: ScoreModel, crystals: Crystals, generators: Sequence[torch.Generator]) -> torch.Tensor:
        contacts = [closest_contact(structure)[0] for structure in to_structures(crystals)]
        energy = self.potential(crystals).energy
        return torch.where(torch.tensor(contacts, device=energy.device) < CLOSEST, torch.inf, energy)


def make_candidates(jobs: Sequence[Job], tools: Tools) -> list[Candidate]:
    """All stages for one batch of jobs, in their order. A stage that fails marks the candidates it fails for."""
    raw = _sampled(jobs, tools)
    candidates = [_screened(job, structure) for job, structure in zip(jobs, raw, strict=True)]
    if tools.relax is None:
        return [with_space_groups(c) if c.status == "ok" else c for c in candidates]
    return relax_candidates(candidates, tools)


def _sampled(jobs: Sequence[Job], tools: Tools) -> list[Structure | str]:
    """The raw structure of each job, or why there is none."""
    crystals = batched_hosts([job.host for job in jobs]).to(tools.device)
    de_novo = not bool((~crystals.guest).any())
    try:
        made = tools.recipe(de_novo).run(tools.score(), crystals, [job.candidate.seed for job in jobs])
    except (RuntimeError, MemoryError) as error:
        if len(jobs) > 1:  # find the one at fault
            return [found for job in jobs for found in _sampled([job], tools)]
        log.exception("sampling %s failed", jobs[0].candidate.id)
        return [f"sampling failed: {str(error).splitlines()[0]}"]
    return list(to_structures(made))


def _screened(job: Job, made: Structure | str) -> Candidate:
    if isinstance(made, str):
        return failed(job.candidate, "sample", made)
    candidate = replace(job.candidate, raw=made, structure=made)
    reason = reject_reason(made, job.species)
    return failed(candidate, "screen", reason) if reason else candidate


def failed(candidate: Candidate, stage: str, reason: str) -> Candidate:
    """The candidate as a failed row."""
    return replace(candidate, status="failed", failed_at=stage, reason=reason)


def relax_candidates(candidates: Sequence[Candidate], tools: Tools) -> list[Candidate]:
    """The candidates with relaxed, refined structures and energies; those that failed before stay as they are."""
    assert tools.relax is not None
    going = [i for i, c in enumerate(candidates) if c.status == "ok"]
    done = relax(
        [cast("Structure", candidates[i].structure) for i in going],
        potential=tools.potential(),
        fix_cell=tools.relax.fix_cell,
        fix_symmetry=tools.relax.fix_symmetry,
        pressure=tools.relax.pressure,
        fmax=tools.relax.fmax,
        max_steps=tools.relax.max_steps,
        optimizer=tools.relax.optimizer,
        device=tools.device,
        trajectory=tools.trajectories is not None,
    )
    result = list(candidates)
    for i, relaxed in zip(going, done, strict=True):
        if tools.trajectories is not None and relaxed.trajectory:
            write_trajectory(relaxed.trajectory, tools.trajectories / f"{candidates[i].id}.extxyz")
        result[i] = with_relaxation(candidates[i], relaxed, tools.potential())
    return result


def with_relaxation(candidate: Candidate, relaxed: Relaxed, potential: Potential) -> Candidate:
    """The candidate with its relaxed, refined structure, or marked as failed where relaxation broke down."""
    if relaxed.energy_per_atom is None or relaxed.initial_energy_per_atom is None:
        return failed(candidate, "relax", relaxed.reason or "the potential gives no energy")
    candidate = replace(
        candidate,
        structure=relaxed.structure,
        energy_per_atom=relaxed.energy_per_atom,
        level=potential.level,
        relax_energy_change=relaxed.energy_per_atom - relaxed.initial_energy_per_atom,
        relax_rmsd=relaxed.rmsd,
        relax_steps=relaxed.n_steps,
        converged=relaxed.converged,
    )
    if not relaxed.converged:
        return failed(candidate, "relax", relaxed.reason or "not converged")
    return with_symmetry(candidate, potential)


def with_symmetry(candidate: Candidate, potential: Potential) -> Candidate:
    """The candidate symmetrised at 0.1 Å where that costs no energy, with its space groups."""
    structure = cast("Structure", candidate.structure)
    refined = refine(structure, _REFINE_SYMPREC)
    if refined is not None:
        energy = relax([refined.structure], potential=potential, fix_cell=True, max_steps=0)[0].energy_per_atom
        if energy is not None and energy < cast(float, candidate.energy_per_atom) + _REFINE_COST:
            candidate = replace(candidate, structure=refined.structure, energy_per_atom=energy)
    return with_space_groups(candidate)


def with_space_groups(candidate: Candidate) -> Candidate:
    """The candidate with the space groups of its structure at 0.01 and 0.1 Å."""
    structure = cast("Structure", candidate.structure)
    return replace(candidate, space_group=space_group(structure, 0.01), space_group_loose=space_group(structure, 0.1))


def check_potential(options: RelaxOptions | None) -> None:
    """Raise InputError for a potential that is not known or cannot be made."""
    if options is not None and options.potential not in POTENTIALS:
        load_potential(options.potential)


def machine_of(**values: Any) -> MachineOptions:
    """Validated machine options. Raises InputError, also for a device that is not here."""
    machine = MachineOptions.of(**values)
    if machine.device != "cpu" and not (machine.device.startswith("cuda") and torch.cuda.is_available()):
        raise InputError(f"device '{machine.device}' is not available here; expected cpu, or cuda with a GPU")
    return machine


def worker_count(machine: MachineOptions, n_batches: int) -> int:
    """Processes to use: one for each core unless told, no more than batches; one for a GPU."""
    if machine.device != "cpu":
        return 1
    wanted = machine.workers or len(os.sched_getaffinity(0))
    return max(1, min(wanted, n_batches))


def run_batches(
    work: Callable[[Sequence[Any], Tools], list[Any]],
    batches: Sequence[Sequence[Any]],
    tools: Tools,
    machine: MachineOptions,
) -> Iterator[list[Any]]:
    """What `work` makes of each batch as it comes, in no fixed order; `work` is a function of a module."""
    workers = worker_count(machine, len(batches))
    if workers == 1:
        for batch in batches:
            yield work(batch, tools)
        return
    plain = replace(tools, loaded={})
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_worker) as pool:
        with _hidden_main():
            waiting = [pool.submit(_in_worker, work, batch, plain) for batch in batches]
        try:
            for future in as_completed(waiting):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_tools_of_worker: dict[str, Tools] = {}


def _in_worker(work: Callable[[Sequence[Any], Tools], list[Any]], batch: Sequence[Any], tools: Tools) -> list[Any]:
    """work(batch) with the tools that this process has loaded already."""
    return work(batch, _tools_of_worker.setdefault(repr(tools), tools))


@contextmanager
def _hidden_main() -> Iterator[None]:
    """Hide the calling script while workers start: they need nothing of it, and would run it again."""
    main = vars(sys.modules["__main__"])
    kept: dict[str, Any] = {name: main.pop(name) for name in ("__file__", "__spec__") if name in main}
    main["__spec__"] = None
    try:
        yield
    finally:
        main.update(kept)


def _begin_worker() -> None:
    """One process a core: threads inside would fight over the cores. A worker ends when its parent was killed."""
    torch.set_num_threads(1)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def batches_of(
    items: Sequence[Any], machine: MachineOptions, made: Callable[[Any], bool] = lambda item: False
) -> list[list[Any]]:
    """Items in their order, cut to batches of at most the machine's batch size, even over its workers.

    Those made already are left out after cutting, so that a resumed run computes the very batches of the first.
    """
    share = math.ceil(len(items) / worker_count(machine, len(items))) if items else 1
    size = min(machine.batch_size, share)
    batches = ([x for x in items[k : k + size] if not made(x)] for k in range(0, len(items), size))
    return [batch for batch in batches if batch]
