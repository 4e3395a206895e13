"""The relaxation of files into a results folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chggen.crystals import plain_formula
from chggen.generation import SamplerOptions
from chggen.io import fingerprint, named_structures
from chggen.relaxation import RelaxOptions
from chggen.results import Candidate, Store, failed

if TYPE_CHECKING:
    from chggen.execution import Progress


def relax_files(
    paths: Sequence[Path],
    options: Mapping[str, Any],
    device: str,
    workers: int,
    out: Path,
    progress: Progress,
    trajectory: bool = False,
) -> list[Candidate]:
    """Relax the structures of files into a results folder, resumable; in the order of the files.

    trajectory: every relaxation step by step as well, trajectories/NAME.extxyz there; those without are done again.
    """
    from chggen.campaign import Resources, check_potential, relax_candidates
    from chggen.execution import Machine, Workers, batches_of

    structures = named_structures(paths)
    settings = RelaxOptions.of(**options)
    machine = Machine(device=device, workers=workers)
    check_potential(settings)
    folder = out / "trajectories" if trajectory else None
    resources = Resources(sampler=SamplerOptions(), relax=settings, device=device, trajectories=folder)
    given = sorted(f"{name} {fingerprint(s)}" for name, s in structures.items())
    table = {"command": "relax", **settings.model_dump(), "structures": given}
    with Store(out, table) as store:
        if folder is not None:
            folder.mkdir(exist_ok=True)
        made = store.candidates()
        raw = [
            Candidate(id=name, stage="relax", formula=plain_formula(s.composition), seed=0, structure=s, raw=s)
            for name, s in structures.items()
        ]

        def finished(candidate: Candidate) -> bool:
            name = candidate.id
            return name in made and (folder is None or (folder / f"{name}.extxyz").exists())

        batches = batches_of(raw, machine, made=finished)
        done = sum(map(finished, raw))
        bad = sum(made[c.id].status == "failed" for c in raw if finished(c))
        progress("relax", done, len(structures), bad)
        for found in Workers(machine).run(relax_candidates, batches, resources, _lost):
            store.put(found)
            done, bad = done + len(found), bad + sum(c.status == "failed" for c in found)
            progress("relax", done, len(structures), bad)
        made = store.candidates()
        final = [made[name] for name in structures]
        store.export(final)
    return final


def _lost(candidate: Candidate, reason: str) -> list[Candidate]:
    """Return what stands for a structure whose worker died: a failed row."""
    return [failed(candidate, "relax", reason)]
