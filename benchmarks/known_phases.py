"""How often the known phase that a crystal is gets named: by fingerprint and energy, and by group and energy alone.

    OMP_NUM_THREADS=1 python benchmarks/known_phases.py DATA -n 100

DATA holds mp_structures.npz (Materials Project, CC BY 4.0). Phases are drawn at random from the shipped table, half of
them from formulas that have several phases, relaxed and refined as candidates are, and looked up. Prints a table.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from chggen.campaign import Resources, relax_candidates
from chggen.generation import SamplerOptions
from chggen.io import NamedStructures
from chggen.relaxation import RelaxOptions
from chggen.results import Candidate
from chggen.stability import References
from chggen.stability.identity import SAME_GROUP_AND_ENERGY
from chggen.symmetry import structure_fingerprint

LEVEL = "pbe"
MOST_ATOMS = 24


def drawn(table: References, structures: NamedStructures, n: int) -> list[str]:
    """Ids of phases: half of any, half of formulas that have several phases."""
    rng = np.random.default_rng(0)
    there = set(structures.names)
    small = (table.n_atoms > 1) & (table.n_atoms <= MOST_ATOMS) & (table.fingerprints > 0)
    fit = small & np.array([name in there for name in table.ids.tolist()])
    counts = Counter(table.formulas.tolist())
    several = fit & np.array([counts[formula] > 1 for formula in table.formulas.tolist()])
    first = rng.choice(table.ids[fit], n - n // 2, replace=False).tolist()
    return [*first, *rng.choice(table.ids[several & ~np.isin(table.ids, first)], n // 2, replace=False).tolist()]


def relaxed(names: Sequence[str], structures: NamedStructures) -> dict[str, Candidate]:
    """Phase → it as a candidate, relaxed and refined; without those that fail."""
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
    return {c.id: c for c in done if c.status == "ok"}


def outcome(answer: str | None, name: str, table: References) -> str:
    """What kind of answer is given for a phase."""
    if answer is None:
        return "none"
    answer = answer.removeprefix(SAME_GROUP_AND_ENERGY)
    if answer == name:
        return "itself"
    rows = [int(np.flatnonzero(table.ids == one)[0]) for one in (name, answer)]
    twins = table.fingerprints[rows[0]] == table.fingerprints[rows[1]]
    return "a twin" if twins else "another"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("-n", type=int, default=100)
    args = parser.parse_args()
    table, structures = References.load(), NamedStructures((args.data / "mp_structures.npz",))
    blank = replace(table, fingerprints=np.zeros_like(table.fingerprints))
    found = relaxed(drawn(table, structures, args.n), structures)
    start = time.perf_counter()
    own = {name: structure_fingerprint(c.structure) for name, c in found.items()}
    cost = (time.perf_counter() - start) / len(found)
    same = sum(int(own[name] or "0", 16) == int(table.fingerprints[table.ids == name][0]) for name in found)
    print(f"{len(found)} relaxed, {same} of them keep their fingerprint, {1000 * cost:.1f} ms for a fingerprint")
    print("\n| by | itself | a twin | another phase | none |\n| --- | --- | --- | --- | --- |")
    for label, known, structure in (("group and energy", blank, False), ("fingerprint and energy", table, True)):
        counts = Counter(
            outcome(
                known.known_as(
                    c.formula, c.energies[LEVEL], LEVEL, c.space_group_loose, c.structure if structure else None
                ),
                name,
                table,
            )
            for name, c in found.items()
        )
        print(f"| {label} | " + " | ".join(str(counts[k]) for k in ("itself", "a twin", "another", "none")) + " |")
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
