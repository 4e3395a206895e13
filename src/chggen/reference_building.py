"""Reference energies: relaxing known phases into a table, and listing what a table holds."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chggen.config import InputError
from chggen.files import named_structures, write_text
from chggen.options import POTENTIAL_OF, RelaxOptions, SamplerOptions
from chggen.references import ReferenceEntry, References, write_references
from chggen.store import writable_folder
from chggen.tools import Tools
from chggen.workers import batches_of, machine_of, run_batches

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from chggen.pipeline import Progress


def reference_lines(system: str, level: str, path: Path | None) -> list[str]:
    """The reference phases of a system such as Zn-P-S at a level, by formula and energy."""
    elements = [part.strip() for part in system.split("-") if part.strip()]
    table = References.load(path)
    entries = table.system(elements, level)
    if not entries:
        return [f"no {level} reference energies for {system}" + (f": {table.reason}" if table.reason else "")]
    entries = sorted(entries, key=lambda e: (e.formula, e.energy_per_atom))
    return [
        f"{e.id:14} {e.formula:16} {e.energy_per_atom:10.4f} eV/atom  space group {e.space_group or '?':>3}  "
        f"{'relaxed' if e.relaxed else 'static'}"
        for e in entries
    ]


def build_references(
    paths: Sequence[Path],
    levels: Sequence[str],
    fmax: float,
    device: str,
    workers: int,
    out: Path,
    progress: Progress,
) -> Path:
    """Relax structures (named by their ids) at each level; rows as they come, then OUT/references.npz. Resumable."""
    structures = named_structures(paths)
    for level in levels:
        if level not in POTENTIAL_OF:
            raise InputError(f"unknown level '{level}'; expected {' or '.join(POTENTIAL_OF)}")
    machine = machine_of(device=device, workers=workers)
    relaxed_to = RelaxOptions.of(fmax=fmax)
    rows = writable_folder(out) / "rows.jsonl"
    made = _whole_rows(rows)
    for level in levels:
        relax = relaxed_to.model_copy(update={"potential": POTENTIAL_OF[level]})
        tools = Tools(sampler=SamplerOptions(), relax=relax, device=device)
        there = {row["id"] for row in made if row["level"] == level}
        smallest_first = sorted(structures.items(), key=lambda item: len(item[1]))
        batches = batches_of(smallest_first, machine, made=partial(_is_in, there))
        done, bad = len(structures.keys() & there), 0
        progress(level, done, len(structures), bad)
        for found in run_batches(reference_rows, batches, tools, machine):
            with rows.open("a") as handle:
                handle.writelines(json.dumps(row) + "\n" for row in found)
            made += found
            done, bad = done + len(found), bad + sum("failed" in row for row in found)
            progress(level, done, len(structures), bad)
    good = [ReferenceEntry(**row) for row in made if "failed" not in row]
    write_references(good, out / "references.npz")
    return out / "references.npz"


def _is_in(names: Collection[str], named: tuple[str, Structure]) -> bool:
    return named[0] in names


def _whole_rows(path: Path) -> list[dict[str, Any]]:
    """The rows written so far; a last line that a kill cut short is taken out of the file."""
    if not path.exists():
        return []
    text = path.read_text()
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        write_text(path, whole)
    return [json.loads(line) for line in whole.splitlines()]


def reference_rows(batch: Sequence[tuple[str, Structure]], tools: Tools) -> list[dict[str, Any]]:
    """Rows of the reference table for named structures; one that does not relax says why under `failed`."""
    from chggen.relaxation import relax
    from chggen.symmetry import space_group

    assert tools.relax is not None
    done = relax([s for _, s in batch], potential=tools.potential(), fmax=tools.relax.fmax, max_steps=1000)
    rows = []
    for (name, structure), relaxed in zip(batch, done, strict=True):
        row: dict[str, Any] = {"id": name, "level": tools.potential().level}
        if relaxed.energy_per_atom is None or not relaxed.converged:
            rows.append({**row, "failed": relaxed.reason or "not converged"})
            continue
        entry = ReferenceEntry(
            **row,
            formula=structure.composition.reduced_formula,
            energy_per_atom=relaxed.energy_per_atom,
            space_group=space_group(relaxed.structure, 0.1) or 0,
            n_atoms=len(structure),
        )
        rows.append(dataclasses.asdict(entry))
    return rows
