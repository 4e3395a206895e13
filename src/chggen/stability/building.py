"""Reference energies: known phases evaluated and relaxed into a table, and listing what a table holds."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Container, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from chggen.crystals import plain_formula, system_elements
from chggen.errors import InputError
from chggen.execution import Machine, Workers
from chggen.io import NamedStructures, digest, locked, structure_files, write_text
from chggen.potential import Potential, load_potential, potential_of
from chggen.potential import levels as registered_levels
from chggen.relaxation import RelaxOptions
from chggen.stability.energies_above_hull import above_hull
from chggen.stability.energy_log import EnergyLog
from chggen.stability.references import BUILD, References, element_mask, write_references

if TYPE_CHECKING:
    from chggen.execution import Progress

_AT_ONCE: Final = {
    "static": 128,
    "relaxed": 32,
    "sampled": 32,
}  # in a batch: rows come once a minute
_MORE_ON_A_GPU: Final = 64
_MAX_STEPS: Final = 1000
_ON_HULL: Final = 1e-5  # eV/atom


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which phases are relaxed, others staying static: those on a hull, and those at most `within` above one, eV/atom.

    0 is the phases on a hull alone, a negative number none, infinity all. Phases of the systems `first`, such as
    Zn-P-S, come before all others, then those on a hull, the nearest first. Of the others `sample` are relaxed, drawn
    at random: the median fall of their energies is what all the static ones lack. Raises InputError for a number that
    is none and for an unknown element.
    """

    within: float = math.inf
    first: Sequence[str] = ()
    sample: int = 0

    def __post_init__(self) -> None:
        if math.isnan(self.within) or self.sample < 0:
            raise InputError(
                f"expected a limit in eV/atom and a sample of 0 or more, got {self.within} and {self.sample}"
            )
        for system in self.first:
            element_mask(system_elements(system))

    def choose(self, log: EnergyLog, level: str, given: Container[str]) -> list[str]:
        """Ids to relax next: untried ones given of the first systems, else those on a hull, else those near one.

        A system without all of its elements has no hull; its phases are taken as lying on one.
        """
        if self.within < 0:
            return []
        table = References.from_entries(entry for entry in log.entries() if entry.level == level)
        if not len(table):
            return []
        untried = np.array([name in given and not log.tried(name, level) for name in table.ids.tolist()])
        distance = np.nan_to_num(above_hull(table, level), nan=0.0)
        early = np.zeros(len(table), bool)
        for system in self.first:
            outside = ~np.array(element_mask(system_elements(system)), np.uint64)
            early |= ((table.masks & outside) == 0).all(axis=1)
        near = distance <= max(self.within, _ON_HULL)
        turns = [np.flatnonzero(untried & turn) for turn in (early & near, distance <= _ON_HULL, near)]
        chosen = next((turn for turn in turns if len(turn)), turns[-1])
        order = np.lexsort((table.n_atoms[chosen], distance[chosen].round(3)))
        return [str(name) for name in table.ids[chosen[order]]]

    def drawn(self, log: EnergyLog, level: str, given: Container[str]) -> list[str]:
        """Ids of static entries to relax as the sample, of those given; those drawn before not counted again."""
        names = np.array(sorted({e.id for e in log.entries() if e.level == level}))
        left = self.sample - sum("sampled" in log.of(name, level) for name in names.tolist())
        order = np.random.default_rng(0).permutation(names).tolist()
        static = [name for name in order if name in given and not log.tried(name, level)]
        return static[: max(0, left)]


def build_references(
    paths: Sequence[Path],
    levels: Sequence[str],
    fmax: float,
    device: str,
    workers: int,
    out: Path,
    progress: Progress,
    wanted: Wanted | None = None,
) -> Path:
    """Energies of structures (named by their ids) at each level: OUT/references.npz.

    All are evaluated as they are; then, level by level, the wanted ones (None: all) are relaxed, those on a hull
    first, until no untried one lies on a hull of the energies so far. Rows are written to OUT/rows.jsonl as they come:
    a second call goes on where the first one ended, with more structures, levels or wanted ones if asked for; those
    that it is not given again stay as they are. Raises InputError for an unknown level, for structures that cannot be
    read, and where OUT is in use, holds imported energies, or was made with another fmax or from files that have
    changed or have other structures of the same names.
    """
    for level in levels:
        if potential_of(level) is None:
            known = ", ".join(registered_levels())
            raise InputError(f"unknown level '{level}'; expected {known}, or the name of a potential without one")
    machine = Machine(device=device, workers=workers)
    structures = NamedStructures(tuple(paths))
    names = sorted(structures.names, key=structures.n_atoms)
    settings = RelaxOptions.of(fmax=fmax, max_steps=_MAX_STEPS)
    given = set(names)
    at = {level: Relaxation(settings.model_copy(update={"potential": potential_of(level)}), device) for level in levels}
    table, sources = out / "references.npz", out / BUILD
    with locked(out):
        if table.exists() and not sources.exists():
            raise InputError(f"{out} holds energies of `chggen references import`; choose another --out")
        log = EnergyLog(out / "rows.jsonl")
        _keep_sources(paths, fmax, sources, log.names)
        work = _Work(log=log, structures=structures, machine=machine, progress=progress)
        try:
            for level, relaxation in at.items():
                work.do("static", [name for name in names if not log.of(name, level)], level, relaxation)
            wanted = wanted or Wanted()
            for level, relaxation in at.items():
                while todo := wanted.choose(log, level, given):
                    work.do("relaxed", todo, level, relaxation)
                work.do("sampled", wanted.drawn(log, level, given), level, relaxation)
        finally:
            write_references(log.entries(), table)
    return table


def _keep_sources(paths: Sequence[Path], fmax: float, path: Path, known: set[str]) -> None:
    """Write down what the energies in a folder come from. Raises InputError where they came from something else.

    known: names that have energies there; a file that is new must not have another structure of such a name.
    """
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"fmax": fmax, "files": {}}
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
    if known and fresh and (twice := sorted(known & set(NamedStructures(fresh).names))):
        raise InputError(f"{path.parent} holds energies of another {twice[0]} already; rename it or use another --out")
    write_text(path, json.dumps({"fmax": fmax, "files": kept["files"] | files}, indent=1) + "\n")


@dataclass(frozen=True)
class Relaxation:
    """How workers evaluate and relax phases."""

    options: RelaxOptions
    device: str

    def potential(self) -> Potential:
        return load_potential(self.options.potential, self.device)

    def unloaded(self) -> Relaxation:
        """Itself: potentials are loaded once a process wherever they are asked for."""
        return self


@dataclass(frozen=True, kw_only=True)
class _Work:
    """Structures evaluated or relaxed by all workers, and written down as they come."""

    log: EnergyLog
    structures: NamedStructures
    machine: Machine
    progress: Progress

    def do(self, kind: str, names: Sequence[str], level: str, relaxation: Relaxation) -> None:
        if not names:
            return
        size = _AT_ONCE[kind] * (1 if self.machine.device == "cpu" else _MORE_ON_A_GPU)
        batches = [names[k : k + size] for k in range(0, len(names), size)]
        label, done, bad = f"{kind} {level}", 0, 0
        self.progress(label, done, len(names), bad)
        lost = partial(_lost, level)
        for rows in Workers(self.machine).run(partial(_ROWS[kind], self.structures), batches, relaxation, lost):
            self.log.add(rows)
            done, bad = done + len(rows), bad + sum("failed" in row for row in rows)
            self.progress(label, done, len(names), bad)


def _lost(level: str, name: str, reason: str) -> list[dict[str, Any]]:
    """Return the row of a phase whose worker died."""
    return [{"id": name, "level": level, "failed": reason}]


def static_rows(structures: NamedStructures, names: Sequence[str], relaxation: Relaxation) -> list[dict[str, Any]]:
    """Energy, formula, space group (at 0.1 Å) and size of structures as they are."""
    from chggen.crystals import from_structures
    from chggen.potential import energies_of
    from chggen.symmetry import space_group

    level = relaxation.potential().level
    rows: list[dict[str, Any]] = []
    given = {}
    for name in names:
        try:
            given[name] = structures.structure(name)
        except InputError as error:
            rows.append({"id": name, "level": level, "failed": str(error)})
    if not given:
        return rows
    found = energies_of(relaxation.potential(), from_structures(list(given.values())))
    for k, ((name, structure), energy) in enumerate(zip(given.items(), found.energy.tolist(), strict=True)):
        row = {
            "id": name,
            "level": level,
            "formula": plain_formula(structure.composition),
            "space_group": space_group(structure, 0.1) or 0,
            "n_atoms": len(structure),
        }
        known = {"static": round(energy / len(structure), 6)}
        rows.append(row | (known if math.isfinite(energy) else {"failed": found.failures.get(k, "no energy")}))
    return rows


def relaxed_rows(structures: NamedStructures, names: Sequence[str], relaxation: Relaxation) -> list[dict[str, Any]]:
    """Energy and space group (at 0.1 Å) of structures relaxed, or why there is none."""
    from chggen.relaxation import relax
    from chggen.symmetry import space_group

    level, given = relaxation.potential().level, [structures.structure(name) for name in names]
    options = relaxation.options
    rows: list[dict[str, Any]] = []
    done = relax(
        given,
        potential=relaxation.potential(),
        fmax=options.fmax,
        max_steps=options.max_steps,
        device=relaxation.device,
    )
    for name, relaxed in zip(names, done, strict=True):
        row: dict[str, Any] = {"id": name, "level": level}
        if relaxed.energy_per_atom is None or not relaxed.converged:
            rows.append(row | {"failed": relaxed.reason or "not converged"})
            continue
        energy = round(relaxed.energy_per_atom, 6)
        rows.append(row | {"relaxed": energy, "space_group": space_group(relaxed.structure, 0.1) or 0})
    return rows


def sampled_rows(structures: NamedStructures, names: Sequence[str], relaxation: Relaxation) -> list[dict[str, Any]]:
    """The same of structures that stand for the static ones, marked as such."""
    return [row | {"sampled": True} for row in relaxed_rows(structures, names, relaxation)]


_ROWS: Final = {"static": static_rows, "relaxed": relaxed_rows, "sampled": sampled_rows}
