"""Crystals of no known prototype, from composition alone: success against cost, by program and rivals.

    python benchmarks/unknown.py DATA [--sets U1 U2 U4] [--arms program random symmetric genetic] [--n 20] [--first N]
        [--options NAME=VALUE ...] [--as NAME] [--workers 2] [--out benchmarks/results/unknown]

U1 and U2 are benchmarks/ids/unknown.json; U4 the 15 compounds compared with USPEX. Each gives its composition and the
atoms in its primitive cell, nothing else. Arms: *program*, `generate` without prototypes (cells from space groups,
learned and random ones); *random*, random cells; *symmetric*, pyxtal's crystals of random space groups; *genetic*, an
evolutionary search (genetic.py, with the operators of ase-ga). The program makes n candidates; the rivals go on until
they have spent its CPU seconds. --options gives the program other options, --as the name that its rows then have in a
run of this arm alone.

Kept of each search: energy and match (StructureMatcher 0.2, 0.3, 5) of each relaxed structure in the order made, the
crystal's own energy, relaxed alike, evaluations of CHGNet (with forces; energies alone) and CPU seconds. Cost is taken
as even over a search. Tables: any of n, as low as the crystal (1 meV/atom), hits a CPU hour; success at equal CPU time
and at equal evaluations. A run that was stopped goes on; rows are committed.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from choose_hosts import IDS
from csp import counts_of, outcomes, random_cells, random_symmetric, targets
from hosts import structures
from kept_rows import KeptRows
from pymatgen.core import Structure

ARMS = ("program", "random", "symmetric", "genetic")
WITHOUT_PROTOTYPES = ("space-group", "learned", "bravais")
BATCH = 10
LOW = 0.001  # eV/atom
Row = dict[str, Any]


def crystals(name: str, data: Path) -> list[tuple[str, Structure]]:
    """Ids and primitive cells of a set."""
    if name == "U4":
        return targets("uspex15", data)
    wanted = json.loads((IDS / "unknown.json").read_text())[name]
    found: dict[str, Structure] = {}
    for file in ("mp_structures.npz", "mp20.npz"):  # what both have is taken of the second
        ids = np.load(data / file)["ids"]
        found |= structures(data / file, lambda numbers, key: True, np.isin(ids, wanted))
    return [(key, found[key].get_primitive_structure()) for key in wanted]


class Counted:
    """Counts what CHGNet evaluates while it is entered: crystals with forces, and crystals' energies alone."""

    def __init__(self) -> None:
        self.forces = self.energies = 0

    def __enter__(self) -> Counted:
        from chggen.potential.chgnet import ChgnetPotential

        self._kind, self._each = ChgnetPotential, ChgnetPotential._each

        def counting(potential: Any, crystals: Any, evaluate: Any, symmetries: Any) -> Any:
            if evaluate == potential._energies:
                self.energies += crystals.n_crystals
            else:
                self.forces += crystals.n_crystals
            return self._each(potential, crystals, evaluate, symmetries)

        ChgnetPotential._each = counting
        return self

    def __exit__(self, *_: object) -> None:
        self._kind._each = self._each


def searched(arm: str, crystal: Structure, n: int, budget: float, options: Row) -> list[tuple[Structure, float] | None]:
    """The structures of an arm in the order made, with their energies; None for one that failed."""
    import chggen

    counts = counts_of(crystal)
    if arm not in ARMS[1:]:
        formula = "".join(f"{symbol}{k}" for symbol, k in counts.items())
        given = {"cells_from": WITHOUT_PROTOTYPES, "formula_units": [1], "seed": 0, **options}
        if "wyckoff" in given["cells_from"]:
            from wyckoff_source import register

            register()
        found = chggen.generate(formula, n=n, workers=1, progress=False, **given)
        return [
            (c.structure, c.energy_per_atom) if c.status == "ok" else None
            for c in sorted(outcomes(found), key=lambda c: c.id)
        ]
    from chggen.generation import volume_per_atom

    volume = sum(counts.values()) * volume_per_atom(counts)
    began = time.process_time()

    def relaxed(structures: list[Structure]) -> list[tuple[Structure, float] | None]:
        done = chggen.relax(structures, max_steps=500)
        return [(r.structure, r.energy_per_atom) if r.converged else None for r in done]

    ends: list[tuple[Structure, float] | None] = []
    if arm == "genetic":
        from genetic import Evolution

        for found in Evolution(relaxed, random_cells(counts, volume, 20, 0), 0).generations():
            ends += found
            if time.process_time() - began > budget:
                return ends
    make = random_symmetric if arm == "symmetric" else random_cells
    for seed in range(1000):
        ends += relaxed(make(counts, volume, BATCH, seed))
        if time.process_time() - began > budget:
            break
    return ends


def row_of(name: str, key: str, crystal: Structure, arm: str, n: int, budget: float, options: Row) -> Row:
    """One search."""
    import torch
    from pymatgen.analysis.structure_matcher import StructureMatcher

    import chggen

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    matcher = StructureMatcher(ltol=0.2, stol=0.3, angle_tol=5)
    (true,) = chggen.relax([crystal], max_steps=500)
    with Counted() as count:
        began = time.process_time()
        ends = searched(arm, crystal, n, budget, options)
        seconds = time.process_time() - began
    return {
        "set": name, "target": key, "arm": arm, "n": n, "atoms": len(crystal), "seconds": round(seconds, 1),
        "evaluations": count.forces, "energies_alone": count.energies,
        "true": round(true.energy_per_atom, 5) if true.converged else None,
        "energy": [None if one is None else round(one[1], 5) for one in ends],
        "match": [one is not None and bool(matcher.fit(crystal, one[0])) for one in ends],
    }  # fmt: skip


def succeeded(row: Row, share: float, kind: str) -> bool:
    """Whether the first share of a search has the crystal (`match`), or what is as low (`low`)."""
    first = max(1, round(min(1.0, share) * len(row["match"])))
    if kind == "match":
        return any(row["match"][:first])
    if row["true"] is None:
        return False
    return any(e is not None and e < row["true"] + LOW for e in row["energy"][:first])


def tables(rows: list[Row]) -> None:
    """Print what each arm found."""
    heads = ("set", "arm", "targets", "structures each", "found, %", "as low, %", "found at equal evaluations, %",
             "CPU s each", "evaluations each", "found / CPU h")  # fmt: skip
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    program = {(r["set"], r["target"]): r for r in rows if r["arm"] == "program"}
    for name, arm in dict.fromkeys((r["set"], r["arm"]) for r in rows):
        own = [r for r in rows if (r["set"], r["arm"]) == (name, arm) and (name, r["target"]) in program]
        if not own:
            continue
        found = [succeeded(r, 1, "match") for r in own]
        equal = [
            succeeded(r, program[name, r["target"]]["evaluations"] / max(1, r["evaluations"]), "match") for r in own
        ]
        seconds = sum(r["seconds"] for r in own)
        cells = (name, arm, len(own), f"{np.mean([len(r['match']) for r in own]):.0f}", f"{100 * np.mean(found):.0f}",
                 f"{100 * np.mean([succeeded(r, 1, 'low') for r in own]):.0f}", f"{100 * np.mean(equal):.0f}",
                 f"{seconds / len(own):.0f}", f"{np.mean([r['evaluations'] for r in own]):.0f}",
                 f"{3600 * sum(found) / seconds:.1f}")  # fmt: skip
        print(f"| {' | '.join(map(str, cells))} |")


def main() -> None:
    """Search, keep, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", default=["U1"], choices=("U1", "U2", "U4"))
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--n", type=int, default=20)
    parser.add_argument("--first", type=int, help="targets of each set")
    parser.add_argument("--options", nargs="*", default=[], help="of the program, as JSON: best_of=16")
    parser.add_argument("--as", dest="name", default="program")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/unknown"))
    args = parser.parse_args()
    options = {key: json.loads(value) for key, value in (pair.split("=", 1) for pair in args.options)}
    kept = KeptRows(args.out / "rows.jsonl")
    chosen = [(name, key, one) for name in args.sets for key, one in crystals(name, args.data)[: args.first]]
    rivals = [arm for arm in args.arms if arm != "program"]
    for arms in (["program"], rivals) if args.name == "program" else ([args.name],):
        done = {(r["set"], r["target"], r["arm"]): r for r in kept.rows}
        todo = []
        for name, key, crystal in chosen:
            spent = done.get((name, key, "program"), {}).get("seconds", 0.0)
            own = [arm for arm in arms if (name, key, arm) not in done]
            todo += [(name, key, crystal, arm, args.n, spent, options if arm == args.name else {}) for arm in own]
        kept.compute(row_of, todo, args.workers)
    wanted = {(name, key) for name, key, _ in chosen}
    tables([r for r in kept.rows if (r["set"], r["target"]) in wanted])


if __name__ == "__main__":
    main()
