"""Reference energies: known phases are evaluated, relaxed and written into a table."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from chggen.errors import InputError
from chggen.execution import Failure, Machine, Workers, on_executor
from chggen.io import NamedStructures, digest, locked, own_text, structure_files, write_text
from chggen.potential import levels as registered_levels
from chggen.potential import potential_of
from chggen.relaxation import RelaxOptions
from chggen.stability.disordered_phases import DisorderedPhase
from chggen.stability.energy_log import EnergyLog
from chggen.stability.energy_rows import ROWS, Relaxation
from chggen.stability.references import BUILD, References, write_references
from chggen.stability.wanted import Wanted

if TYPE_CHECKING:
    from chggen.execution import Progress

# Structures in a batch, such that rows come about once a minute.
_AT_ONCE: Final = {"static": 128, "relaxed": 32, "sampled": 32}
_MORE_ON_A_GPU: Final = 64  # times as many in a batch
_MAX_STEPS: Final = 1000


def build_references(
    paths: Sequence[Path],
    levels: Sequence[str],
    fmax: float,
    device: str,
    workers: int,
    out: Path,
    progress: Progress,
    wanted: Wanted | None = None,
    executor: Executor | str | None = None,
) -> Path:
    """Compute the energies of structures at each level of theory, and write them as a reference file.

    All structures are evaluated as they are. Then, level by level, the wanted ones are relaxed. Phases on the hull of
    the energies known so far come first, until no untried one lies on it.

    Each row is written to OUT/rows.jsonl as soon as it is computed, so a second call goes on where the first one ended.
    It may ask for more structures, levels or wanted phases. Structures that it is not given again keep the rows they
    have.

    Structures with partially occupied sites are kept as disordered phases, which have no energy.

    Args:
        paths: Structure files, folders and archives. The structures are named by their ids.
        levels: Names of levels of theory.
        fmax: Largest force at which a structure counts as relaxed, in eV/Å.
        device: `cpu` or `cuda`.
        workers: Number of processes; 0 stands for one for each core, or for each GPU.
        out: Folder to write into.
        progress: Told how far each stage is.
        wanted: Which phases are relaxed; None stands for all.
        executor: What computes instead of local processes, see `Machine`.

    Returns:
        The reference file, OUT/references.npz.

    Raises:
        InputError: A level is unknown or a structure cannot be read. The folder is in use, holds imported energies, was
            made with another fmax, or was made from files that have changed or have other structures of the same names.
    """
    _check_levels(levels)
    machine = Machine(device=device, workers=workers, executor=executor)
    structures = NamedStructures(tuple(paths), with_disordered=True)
    names = sorted(structures.names, key=structures.n_atoms)
    disordered = {name: DisorderedPhase(name, structure) for name, structure in structures.disordered.items()}
    settings = RelaxOptions.of(fmax=fmax, max_steps=_MAX_STEPS)
    relaxations = {
        level: Relaxation(settings.model_copy(update={"potential": potential_of(level)}), device) for level in levels
    }
    table, sources = out / "references.npz", out / BUILD
    with locked(out):
        if table.exists() and not sources.exists():
            raise InputError(f"{out} holds energies of `chggen references import`; choose another --out")
        log = EnergyLog(out / "rows.jsonl")
        earlier = {phase.id: phase for phase in References.load(table).disordered} if table.exists() else {}
        _keep_sources(paths, fmax, sources, log.names | set(earlier))
        try:
            with on_executor(machine, out) as opened:
                work = _Work(log=log, structures=structures, machine=opened, progress=progress)
                work.do_all(names, relaxations, wanted or Wanted())
        finally:
            write_references(log.entries(), table, list((earlier | disordered).values()))
    return table


def _check_levels(levels: Sequence[str]) -> None:
    """Raise InputError for a level at which no potential gives energies."""
    for level in levels:
        if potential_of(level) is None:
            known = ", ".join(registered_levels())
            raise InputError(f"unknown level '{level}'; expected {known}, or the name of a potential without one")


def _kept_sources(path: Path) -> dict[str, Any]:
    """Read what was written down. Raises InputError for a file that is damaged."""
    try:
        kept: dict[str, Any] = json.loads(own_text(path))
        if isinstance(kept["fmax"], (int, float)) and isinstance(kept["files"], dict):
            return kept
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        pass
    raise InputError(f"{path} is damaged; expected what `references build` writes; restore it, or use another --out")


def _keep_sources(paths: Sequence[Path], fmax: float, path: Path, known: set[str]) -> None:
    """Write down what the energies in a folder come from. Raises InputError where they came from something else.

    known: names that have energies there. A new file must not hold another structure of such a name.
    """
    kept: dict[str, Any] = _kept_sources(path) if path.exists() else {"fmax": fmax, "files": {}}
    if kept["fmax"] != fmax:
        raise InputError(
            f"{path.parent} was made with fmax {kept['fmax']:g}, now {fmax:g} is asked for; use another --out"
        )
    files = {os.path.abspath(file): digest(file) for file in structure_files(paths)}
    for name, content in files.items():
        if kept["files"].get(name, content) != content:
            raise InputError(f"{name} has changed since {path.parent} was made from it; use another --out")
    seen = set(kept["files"].values())
    fresh = tuple(Path(name) for name, content in files.items() if content not in seen)
    if known and fresh and (twice := sorted(known & _names(fresh))):
        raise InputError(f"{path.parent} holds energies of another {twice[0]} already; rename it or use another --out")
    write_text(path, json.dumps({"fmax": fmax, "files": kept["files"] | files}, indent=1) + "\n")


def _names(files: tuple[Path, ...]) -> set[str]:
    """Return the names of all structures of some files."""
    structures = NamedStructures(files, with_disordered=True)
    return {*structures.names, *structures.disordered}


@dataclass(frozen=True, kw_only=True)
class _Work:
    """Structures that are evaluated or relaxed by all workers, and written down as they come."""

    log: EnergyLog
    structures: NamedStructures
    machine: Machine
    progress: Progress

    def do_all(self, names: Sequence[str], relaxations: Mapping[str, Relaxation], wanted: Wanted) -> None:
        """Evaluate all structures at each level, then relax the wanted ones level by level."""
        given = set(names)
        for level, relaxation in relaxations.items():
            self.do("static", [name for name in names if not self.log.of(name, level)], level, relaxation)
        for level, relaxation in relaxations.items():
            while chosen := wanted.choose(self.log, level, given):
                self.do("relaxed", chosen, level, relaxation)
            self.do("sampled", wanted.drawn(self.log, level, given), level, relaxation)

    def do(self, kind: str, names: Sequence[str], level: str, relaxation: Relaxation) -> None:
        """Compute one kind of row (`ROWS`) of these structures at a level."""
        if not names:
            return
        size = _AT_ONCE[kind] * (1 if self.machine.device == "cpu" else _MORE_ON_A_GPU)
        batches = [names[k : k + size] for k in range(0, len(names), size)]
        label, done, bad = f"{kind} {level}", 0, 0
        self.progress(label, done, len(names), bad)
        lost = partial(_lost, level)
        for rows in Workers(self.machine).run(partial(ROWS[kind], self.structures), batches, relaxation, lost):
            self.log.add(rows)
            done, bad = done + len(rows), bad + sum("failed" in row for row in rows)
            self.progress(label, done, len(names), bad)


def _lost(level: str, name: str, failure: Failure) -> list[dict[str, Any]]:
    """Return the row of a phase whose worker died."""
    return [{"id": name, "level": level, "failed": failure.reason}]
