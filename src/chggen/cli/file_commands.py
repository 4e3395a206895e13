"""The commands refine and train: each returns what to show."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from chggen.cli.output import Line
from chggen.errors import InputError
from chggen.io import ORDER_FIRST_OR_HERE, from_table, named_structures, read_toml, writable_folder

_EXACT = 0.01  # Å; at which the symmetry of a symmetrised structure is found


def refine_files(paths: Sequence[Path], symprecs: Sequence[float], out: Path | None, order: bool = False) -> list[Line]:
    """Symmetrise the structures of files and say how.

    The first tolerance that gives a space group above P1 and P-1 counts, else the first that gives any.

    Args:
        paths: Structure files and folders.
        symprecs: Tolerances in Å, in the order in which they are tried.
        out: Folder for the symmetrised CIF files and their twins in P1, with tolerance and displacements in a comment;
            None to write nothing.
        order: Whether partially occupied structures are ordered first, by the default potential.

    Returns:
        One line for each structure: its space group, how far its atoms moved, and the groups that it was given with.

    Raises:
        InputError: A tolerance is out of range, or a file cannot be read.
    """
    from chggen.api import terminal_bars
    from chggen.execution import Machine
    from chggen.results import write_cif
    from chggen.symmetry import above_trivial, space_group, symbol_of
    from chggen.symmetry import refine as refined_at
    from chggen.workflows import ordered_structures

    if not symprecs or any(not 0 < s < 10 for s in symprecs):
        got = ", ".join(f"{s:g}" for s in symprecs)
        raise InputError(f"--symprec must be tolerances above 0 and below 10 Å, got {got}")
    structures = named_structures(paths, disordered=None if order else ORDER_FIRST_OR_HERE)
    if order:
        with terminal_bars() as progress:
            structures = ordered_structures(structures, {}, Machine(), out, progress)
    lines = []
    for name, structure in structures.items():
        found = [r for r in (refined_at(structure, s) for s in symprecs) if r is not None]
        best = next((r for r in found if above_trivial(r.space_group)), found[0] if found else None)
        if best is None:
            why = f"no space group found at {', '.join(f'{s:g}' for s in symprecs)} Å"
            lines.append(Line(f"{name}: {why}", name=name, reason=why))
            continue
        moved = f"atoms moved {best.rms:.4f} Å rms, {best.largest:.4f} Å at most"
        as_given = {s: space_group(structure, s) for s in (0.01, 0.1)}
        given = " and ".join(f"{group} at {s:g} Å" for s, group in as_given.items())
        line = (
            f"{name}: space group {best.space_group} ({symbol_of(best.space_group)}) at symprec {best.symprec:g} Å, "
            f"{moved}; as given {given}"
        )
        row: dict[str, Any] = {"symprec": best.symprec, "rms": best.rms, "max": best.largest}
        row |= {f"space_group_given_{s:g}": group for s, group in as_given.items()}
        symbol = symbol_of(best.space_group)
        lines.append(Line(line, name=name, space_group=best.space_group, space_group_symbol=symbol, **row))
        if out is not None:
            note = f"symmetrised with symprec {best.symprec:g} Å, {moved}\n"
            write_cif(best.structure, writable_folder(out), name, _EXACT, note)
    return lines


def train_from(
    config: Path,
    resume: bool,
    start_from: Path | None,
    seed: int | None,
    device: str,
    out: Path | None,
    say: Callable[[str], Any],
) -> Path:
    """Train a score model by a TOML configuration.

    Args:
        config: The configuration. Paths in it are relative to the working folder.
        resume: Whether to go on from the last state of the run.
        start_from: Checkpoint whose weights the training starts from; None for fresh ones.
        seed: Random seed in place of the configuration's; None to keep that one.
        device: `cpu` or `cuda`.
        out: Folder of the run in place of the configuration's; None to keep that one.
        say: Called with a line about the loss now and then.

    Returns:
        What `training.train` returns: the path of the checkpoint.

    Raises:
        InputError: The configuration cannot be read, or the run cannot be started or resumed.
    """
    from chggen.training import TrainingOptions, train

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
