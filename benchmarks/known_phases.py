"""How often the known phase that a crystal is gets named: by fingerprint and energy, and by group and energy alone.

    OMP_NUM_THREADS=1 python benchmarks/known_phases.py DATA -n 100 --keep relaxed.json

DATA holds mp_structures.npz (Materials Project, CC BY 4.0). Phases are drawn at random from the shipped table, half of
them from formulas that have several phases, relaxed and refined as candidates are, and looked up: in the whole table,
where each should be found, and in the table without the phase itself, where no other may be named unless it is the same
structure. What is relaxed is kept in a file, so that the look-up can be repeated. Prints a table.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from pymatgen.core import Structure

from chggen.campaign import Resources, relax_candidates
from chggen.campaign.evaluation import with_space_groups
from chggen.generation import SamplerOptions
from chggen.io import NamedStructures
from chggen.relaxation import RelaxOptions
from chggen.results import Candidate
from chggen.stability import References
from chggen.stability.identity import SAME_GROUP_AND_ENERGY, known_phase
from chggen.symmetry import structure_fingerprint

LEVEL = "pbe"
MOST_ATOMS = 24


def drawn(table: References, structures: NamedStructures, n: int) -> list[str]:
    """Ids of phases: half of any, half of formulas that have several phases."""
    rng = np.random.default_rng(0)
    there = set(structures.names)
    small = (table.n_atoms > 1) & (table.n_atoms <= MOST_ATOMS)
    fit = small & np.array([name in there for name in table.ids.tolist()])
    counts = Counter(table.formulas.tolist())
    several = fit & np.array([counts[formula] > 1 for formula in table.formulas.tolist()])
    first = rng.choice(table.ids[fit], n - n // 2, replace=False).tolist()
    return [*first, *rng.choice(table.ids[several & ~np.isin(table.ids, first)], n // 2, replace=False).tolist()]


def relaxed(names: Sequence[str], structures: NamedStructures, keep: Path) -> dict[str, Candidate]:
    """Phase → it as a candidate, relaxed and refined; without those that fail. Read from a file that is there."""
    if not keep.exists():
        rows = [
            {"id": c.id, "energies": dict(c.energies), "structure": c.structure.as_dict()}
            for c in _relaxed(names, structures)
            if c.structure is not None
        ]
        keep.write_text(json.dumps(rows))
    found = {}
    for row in json.loads(keep.read_text()):
        structure = Structure.from_dict(row["structure"])
        formula = structure.composition.reduced_formula
        candidate = Candidate(id=row["id"], stage="relax", formula=formula, seed=0, structure=structure)
        found[candidate.id] = with_space_groups(replace(candidate, level=LEVEL, energies=row["energies"]))
    return found


def _relaxed(names: Sequence[str], structures: NamedStructures) -> list[Candidate]:
    """Phases as candidates, relaxed and refined; without those that fail."""
    resources = Resources(sampler=SamplerOptions(), relax=RelaxOptions(), device="cpu")
    given = []
    for name in names:
        structure = structures.structure(name)
        formula = structure.composition.reduced_formula
        given.append(Candidate(id=name, stage="relax", formula=formula, seed=0, structure=structure, raw=structure))
    done = []
    for k in range(0, len(given), 10):
        done += relax_candidates(given[k : k + 10], resources)
        print(f"{len(done)} relaxed", flush=True)
    return [c for c in done if c.status == "ok"]


def outcome(answer: str | None, own: str, name: str, table: References) -> str:
    """What kind of answer is given for a phase: itself, a twin of the same fingerprint (`own`), another or none."""
    if answer is None:
        return "none"
    answer = answer.removeprefix(SAME_GROUP_AND_ENERGY)
    if answer == name:
        return "itself"
    return "a twin" if int(table.fingerprints[table.ids == answer][0]) == int(own or "0", 16) else "another"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("-n", type=int, default=100)
    parser.add_argument("--keep", type=Path, default=Path("relaxed.json"), help="file of what is relaxed")
    args = parser.parse_args()
    table, structures = References.load(), NamedStructures((args.data / "mp_structures.npz",))
    blank = replace(table, fingerprints=np.zeros_like(table.fingerprints))
    found = relaxed(drawn(table, structures, args.n), structures, args.keep)
    start = time.perf_counter()
    own = {name: structure_fingerprint(c.structure) for name, c in found.items()}
    cost = (time.perf_counter() - start) / len(found)
    same = sum(int(own[name] or "0", 16) == int(table.fingerprints[table.ids == name][0]) for name in found)
    print(f"{len(found)} relaxed, {same} of them keep their fingerprint, {1000 * cost:.1f} ms for a fingerprint")
    print("\n| looked up | in | itself | a twin | another phase | none |\n| --- | --- | --- | --- | --- | --- |")
    for label, known, uses_structure in (("group and energy", blank, False), ("fingerprint and energy", table, True)):
        for inside in ("the whole table", "the table without it"):
            counts: Counter[str] = Counter()
            for name, c in found.items():
                entries = [e for e in known.same_formula(c.formula, LEVEL) if inside[4:9] == "whole" or e.id != name]
                structure = c.structure if uses_structure else None
                answer = known_phase(entries, c.energies[LEVEL], c.space_group_loose, structure)
                counts[outcome(answer, own[name] or "", name, table)] += 1
            cells = (str(counts[kind]) for kind in ("itself", "a twin", "another", "none"))
            print(f"| by {label} | {inside} | {' | '.join(cells)} |")
    for name, c in found.items():
        answer = table.known_as(c.formula, c.energies[LEVEL], LEVEL, c.space_group_loose, c.structure)
        if answer != name:
            entry = next(e for e in table.same_formula(c.formula, LEVEL) if e.id == name)
            kept = own[name] == entry.fingerprint
            print(
                f"{name} {c.formula} {entry.space_group} -> {c.space_group_loose}, entry {entry.energy_per_atom:.4f} "
                f"({'relaxed' if entry.relaxed else 'static'}), now {c.energies[LEVEL]:.4f}, fingerprint "
                f"{'kept' if kept else 'changed'}: {answer}"
            )


if __name__ == "__main__":
    main()
