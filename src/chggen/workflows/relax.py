"""The relaxation of files into a results folder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chggen.crystals import plain_formula
from chggen.errors import InputError
from chggen.execution import TIME_LIMIT, Machine, NotedProgress
from chggen.generation import SamplerOptions
from chggen.io import ORDER_FIRST_OR_HERE, fingerprint, kept_notes, named_structures
from chggen.regions import holding
from chggen.relaxation import RelaxOptions
from chggen.results import Candidate, Store, failed
from chggen.workflows.ordered_input import ordered_structures

if TYPE_CHECKING:
    from chggen.campaign import Resources
    from chggen.execution import Failure, Progress


def relax_files(
    paths: Sequence[Path],
    options: Mapping[str, Any],
    device: str,
    workers: int,
    out: Path,
    progress: Progress,
    trajectory: bool = False,
    time_limit: float = TIME_LIMIT,
    order: bool = False,
    hold: Sequence[str] = (),
    executor: Executor | str | None = None,
    shard: str | None = None,
) -> list[Candidate]:
    """Relax the structures of files into a results folder.

    A second call with the same options resumes. Atoms that a file marks as held (selective dynamics, move masks) stay
    at their fractional coordinates, and so in place where the cell is fixed.

    Args:
        paths: Structure files and folders.
        options: Fields of `RelaxOptions`, flat.
        device: `cpu` or `cuda`.
        workers: Number of processes; 0 stands for one for each core, or for each GPU.
        out: The results folder.
        progress: Told how far the relaxation is.
        trajectory: Whether every step is written as well, to trajectories/NAME.extxyz in the folder. Structures that
            were relaxed before without a trajectory are then relaxed again.
        time_limit: Time that a structure may take, s; one that takes longer fails.
        order: Whether partially occupied structures are ordered first.
        hold: Atoms that are held in each structure, beside those that it marks itself, see `regions.holding`.
        executor: What computes instead of local processes, see `Machine`.
        shard: Which part of the structures is relaxed, such as `3/16`; None stands for all.

    Returns:
        The candidates in the order of the files, failed ones included.

    Raises:
        InputError: A file or an option cannot be read, the potential is unknown, or the folder holds other results.
    """
    from chggen.campaign import Resources, Shard, check_potential, digests_of, write_down
    from chggen.execution import on_executor

    settings = RelaxOptions.of(**options)
    try:
        part = Shard.of(shard)
    except ValueError as error:
        raise InputError(f"shard: {error}, got '{shard}'") from None
    machine = Machine(device=device, workers=workers, time_limit=time_limit, executor=executor)
    with kept_notes() as notes:
        asked = named_structures(paths, heed_held=True, disordered=None if order else ORDER_FIRST_OR_HERE)
        check_potential(settings.potential)
        given = sorted(f"{name} {fingerprint(s)}" for name, s in asked.items())
        ordered = True if any(not s.is_ordered for s in asked.values()) else None
        table = {"command": "relax", **settings.model_dump(), "order": ordered, "structures": given}
        table |= {"hold": list(hold) or None, "shard": shard and str(part)}
        Store(out, table).check()  # before anything is computed
        mine = {name: asked[name] for name in part.own(list(asked))}
        structures = ordered_structures(mine, settings.model_dump(), machine, out, progress)
        structures = {name: holding(hold, structure) for name, structure in structures.items()}
    folder = (out / "trajectories").absolute() if trajectory else None  # workers may be elsewhere
    resources = Resources(sampler=SamplerOptions(), relax=settings, device=device, trajectories=folder)
    raw = [
        Candidate(id=name, stage="relax", formula=plain_formula(s.composition), seed=0, structure=s, raw=s)
        for name, s in structures.items()
    ]
    with Store(out, table, structures=structures, notes=notes, machine=machine) as store:
        files = [os.path.abspath(path) for path in paths]
        write_down(store.folder, {**table, "files": files}, machine, digests_of(None, settings))
        if folder is not None:
            folder.mkdir(exist_ok=True)
        told = NotedProgress(progress, store.folder)
        with on_executor(machine, store.folder) as opened:
            _relax_missing(raw, resources, opened, store, told)
        told.close()
        made = store.candidates()
        final = [made[name] for name in structures]
        store.export(final)
    return final


def _relax_missing(
    raw: Sequence[Candidate], resources: Resources, machine: Machine, store: Store, progress: Progress
) -> None:
    """Relax the candidates that the store does not hold yet, or holds without the trajectory that is asked for."""
    from chggen.campaign import NOTE, relax_in_parts
    from chggen.execution import Workers, batches_of

    made, folder = store.candidates(), resources.trajectories

    def finished(candidate: Candidate) -> bool:
        name = candidate.id
        return name in made and (folder is None or (folder / f"{name}.extxyz").exists())

    batches = batches_of(raw, machine, finished, _seconds)
    seconds = resources.seconds((_seconds(c) for batch in batches for c in batch), machine)
    workers = Workers(machine, note=store.folder / NOTE)
    done = sum(map(finished, raw))
    bad = sum(made[c.id].status == "failed" for c in raw if finished(c))
    progress("relax", done, len(raw), bad)
    for found in workers.run(relax_in_parts, batches, resources, _lost, seconds, name=lambda c: str(c.id)):
        store.put(found)
        done, bad = done + len(found), bad + sum(c.status == "failed" for c in found)
        progress("relax", done, len(raw), bad)
    workers.finish()


def _seconds(candidate: Candidate) -> float:
    """Return what a relaxation takes on one core, s, roughly."""
    return 0.5 + 0.12 * (candidate.n_atoms or 0)


def _lost(candidate: Candidate, failure: Failure) -> list[Candidate]:
    """Return what stands for a structure that cannot be relaxed or whose worker died: a failed row."""
    return [failed(candidate, failure.stage or "relax", failure.reason)]
