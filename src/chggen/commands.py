"""The commands that work on files: relax, refine, hull, train, export. Each returns what to show."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from chggen.candidate import Candidate, rank
from chggen.composition import system_elements
from chggen.config import InputError, from_table, read_toml
from chggen.files import cif_text, named_structures, plain_formula, write_extxyz, write_text
from chggen.options import POTENTIAL_OF, RelaxOptions, SamplerOptions
from chggen.store import Store, fingerprint, read_candidates, writable_folder, write_cifs

if TYPE_CHECKING:
    from chggen.pipeline import Progress

_MAX_STEPS: Final = 1000  # of a structure to be placed, as references have


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
    from chggen.settling import relax_candidates
    from chggen.tools import Tools, check_potential
    from chggen.workers import batches_of, machine_of, run_batches

    structures = named_structures(paths)
    settings = RelaxOptions.of(**options)
    machine = machine_of(device=device, workers=workers)
    check_potential(settings)
    folder = out / "trajectories" if trajectory else None
    tools = Tools(sampler=SamplerOptions(), relax=settings, device=device, trajectories=folder)
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
        for found in run_batches(relax_candidates, batches, tools, machine):
            store.put(found)
            done, bad = done + len(found), bad + sum(c.status == "failed" for c in found)
            progress("relax", done, len(structures), bad)
        made = store.candidates()
        final = [made[name] for name in structures]
        store.export(final)
    return final


def refine_files(paths: Sequence[Path], symprecs: Sequence[float], out: Path | None) -> list[str]:
    """One line a structure: its group, how far its atoms moved, and the groups it was given with.

    Into `out`, where it is given, the symmetrised CIF and its twin in P1, tolerance and displacements in a comment.
    """
    from chggen.symmetry import above_trivial, space_group
    from chggen.symmetry import refine as refined_at

    if not symprecs or any(not 0 < s < 10 for s in symprecs):
        got = ", ".join(f"{s:g}" for s in symprecs)
        raise InputError(f"--symprec must be tolerances above 0 and below 10 Å, got {got}")
    lines = []
    for name, structure in named_structures(paths).items():
        found = [r for r in (refined_at(structure, s) for s in symprecs) if r is not None]
        best = next((r for r in found if above_trivial(r.space_group)), found[0] if found else None)
        if best is None:
            lines.append(f"{name}: no space group found at {', '.join(f'{s:g}' for s in symprecs)} Å")
            continue
        moved = f"atoms moved {best.rms:.4f} Å rms, {best.largest:.4f} Å at most"
        given = " and ".join(f"{space_group(structure, s)} at {s:g} Å" for s in (0.01, 0.1))
        lines.append(f"{name}: space group {best.space_group} at symprec {best.symprec:g} Å, {moved}; as given {given}")
        if out is not None:
            writable_folder(out)
            note = f"symmetrised with symprec {best.symprec:g} Å, {moved}"
            write_text(out / f"{name}.cif", cif_text(best.structure, 0.01, note))
            write_text(out / f"{name}-P1.cif", cif_text(best.structure, None, note + "\nP1, every atom"))
    return lines


def level_of(level: str | None, potential: str | None) -> str:
    """The level of theory asked for, by its name or by the potential of it. Raises InputError where they differ."""
    by_potential = {name: level for level, name in POTENTIAL_OF.items()}
    if potential is not None and potential not in by_potential:
        raise InputError(f"no references are at the level of '{potential}'; expected {' or '.join(by_potential)}")
    found = level or by_potential.get(potential or "", "pbe")
    if potential is not None and by_potential[potential] != found:
        raise InputError(f"potential {potential} gives energies at level {by_potential[potential]}, not at '{found}'")
    return found


def hull_lines(
    paths: Sequence[Path],
    formula: str | None,
    energy: float | None,
    level: str,
    without: Sequence[str],
    references: Sequence[str],
    fmax: float,
    device: str,
    out: Path | None,
) -> list[str]:
    """One line a structure (relaxed first) or for the formula with its energy: E_d, E_hull and products."""
    from chggen.decomposition import hull
    from chggen.references import references_of

    if bool(paths) == (formula is not None or energy is not None):
        raise InputError("hull takes structures, or --formula with --energy; give one of the two")
    table = references_of(references)
    table.column(level)
    lines = []
    if paths:
        from chggen.relaxation import relax
        from chggen.symmetry import space_group
        from chggen.workers import machine_of

        machine_of(device=device)
        if level not in POTENTIAL_OF:
            raise InputError(
                f"structures get their energies from CHGNet at the level {' or '.join(POTENTIAL_OF)}, which cannot be "
                f"compared with '{level}'; give an energy of that level with --formula and --energy"
            )
        structures = named_structures(paths)
        done = relax(
            list(structures.values()), potential=POTENTIAL_OF[level], fmax=fmax, max_steps=_MAX_STEPS, device=device
        )
        for (name, s), r in zip(structures.items(), done, strict=True):
            if r.energy_per_atom is None or not r.converged:
                lines.append(f"{name}: not placed, its relaxation came to no end ({r.reason or 'not converged'})")
                continue
            made = s.composition.formula.replace(" ", "")
            known = table.known_as(made, r.energy_per_atom, level, space_group(r.structure, 0.1))
            position = hull(made, r.energy_per_atom, level=level, without=without, references=table)
            lines.append(_position_line(name, position) + (f"; known as {known}" if known else ""))
    else:
        if formula is None or energy is None:
            raise InputError("hull needs both --formula and --energy (eV/atom)")
        if not math.isfinite(energy):
            raise InputError(f"--energy must be a number in eV/atom, got {energy}")
        position = hull(formula, energy, level=level, without=without, references=table)
        lines.append(_position_line(formula, position))
    if out is not None:
        writable_folder(out)
        write_text(out / "hull.txt", "\n".join(lines) + "\n")
    return lines


def reference_lines(
    system: str, level: str, references: Sequence[str], diagram: Path | None, out: Path | None
) -> list[str]:
    """The known phases of a system such as Zn-P-S at a level, by energy above the hull; its phase diagram in a file."""
    from chggen.decomposition import hull
    from chggen.references import references_of
    from chggen.report import picture, save

    elements = system_elements(system)
    table = references_of(references)
    entries = table.system(elements, level)
    if not entries:
        return [f"no {level} reference energies for {system}" + (f": {table.reason}" if table.reason else "")]
    placed = [(hull(e.formula, e.energy_per_atom, level=level, references=table).e_hull, e) for e in entries]
    placed.sort(key=lambda one: (one[0] is None, one[0], one[1].formula, one[1].id))
    lines = [
        f"{e.id:14} {e.formula:16} {e.energy_per_atom:10.4f} eV/atom  "
        f"E_hull {'?' if above is None else f'{above:.4f}':6}  "
        f"space group {e.space_group or '?':>3}  {'relaxed' if e.relaxed else 'static'}"
        for above, e in placed
    ]
    reason = hull("".join(elements), 0.0, level=level, references=table).reason
    if reason is not None:  # an element without an energy
        lines.append(f"no hull of {system}: {reason}")
    if diagram is not None:
        drawn = picture(elements, level, references=table)
        if drawn is None:
            raise InputError(f"no phase diagram of {system}; expected two or three elements with reference energies")
        save(drawn, diagram)
        lines.append(f"phase diagram in {diagram}")
    if out is not None:
        write_text(writable_folder(out) / f"{system}.txt", "\n".join(lines) + "\n")
    return lines


def _position_line(name: str, position: Any) -> str:
    if position.e_decomposition is None:
        return f"{name}: no decomposition energy ({position.reason})"
    caveat = "; CHGNet errs by about 0.03, high ones are too low" if position.level in POTENTIAL_OF else ""
    line = (
        f"{name}: E_d {round(position.e_decomposition, 4) + 0.0:+.4f} eV/atom, "
        f"E_hull {position.e_hull:.4f} eV/atom ({position.level}{caveat}), products {position.products}"
    )
    if position.static_excess is not None:
        line += f"; static: not relaxed with CHGNet, typically {position.static_excess:.3f} eV/atom too high"
    return line


def train_from(
    config: Path,
    resume: bool,
    start_from: Path | None,
    seed: int | None,
    device: str,
    out: Path | None,
    say: Callable[[str], Any],
) -> Path:
    """Train by a TOML configuration; seed and out replace its own. Paths are relative to the working folder."""
    from chggen.training.loop import train
    from chggen.training.options import TrainingOptions

    options = from_table(TrainingOptions, read_toml(config), config.name)
    run = dataclasses.replace(
        options.run,
        seed=options.run.seed if seed is None else seed,
        out=options.run.out if out is None else os.fspath(out),
    )

    def progress(step: int, loss: float) -> None:
        if step % 100 == 0:
            say(f"step {step} of {options.optimizer.steps}, loss {loss:.3f}")

    return train(
        dataclasses.replace(options, run=run), device=device, resume=resume, start_from=start_from, progress=progress
    )


def export_survivors(folder: Path, to: str, max_e_d: float | None, out: Path | None) -> tuple[int, Path]:
    """Distinct good candidates with E_d up to max_e_d (eV/atom; None: all) under DIR/export, as a target's files.

    E_d is the one that they are ranked by, at r²SCAN level where they have it. Files of candidates that an earlier
    export chose and this one does not are deleted; inputs of VASP stay, a calculation may have run there. Raises
    InputError for an unknown target or when nothing is left.
    """
    if to not in ("vasp", "atomate2", "cif", "extxyz"):
        raise InputError(f"unknown target '{to}'; expected vasp, atomate2, cif or extxyz")
    everyone = sorted(read_candidates(folder), key=rank)
    chosen = [
        c
        for c in everyone
        if c.status == "ok"
        and c.structure is not None
        and c.duplicate_of is None
        and (max_e_d is None or (c.deciding_e_d is not None and c.deciding_e_d <= max_e_d))
    ]
    if not chosen:
        limit = "" if max_e_d is None else f" with E_d up to {max_e_d} eV/atom; raise --max-e-d"
        raise InputError(f"{folder} holds no good candidate{limit}")
    target = writable_folder((out or folder / "export") / to)
    structures = [c.structure for c in chosen if c.structure is not None]
    if to == "extxyz":
        write_extxyz(structures, target / "candidates.extxyz", [c.summary_row() for c in chosen])
    elif to == "cif":
        for candidate in chosen:
            write_cifs(candidate, target)
    elif to == "atomate2":
        from chggen.dft import write_flow

        for candidate, structure in zip(chosen, structures, strict=True):
            write_flow(structure, target / f"{candidate.id}.json")
    else:
        from chggen.dft import write_vasp

        for candidate, structure in zip(chosen, structures, strict=True):
            if not (target / candidate.id / "README").exists():  # a calculation may have run in it
                write_vasp(structure, target / candidate.id)
    for name in {c.id for c in everyone} - {c.id for c in chosen}:
        for file in (f"{name}.cif", f"{name}-P1.cif", f"{name}.json"):
            (target / file).unlink(missing_ok=True)
    return len(chosen), target
