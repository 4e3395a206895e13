"""Disorder to order: is the true ordering of an averaged crystal found?

    python benchmarks/ordering.py DATA --out FOLDER [--cases 144] [--workers 2] [--table]

Averaged crystals are those of benchmarks/ids/orderings.json (ordering_cases.py). The average structure is given in
the cell of the true crystal, and each arm relaxes eight ordered structures by CHGNet with the same options, in the same
run:

- program: `chggen.order(average, n=8)`; it fills that cell, the smallest one and others, not told which is right;
- ewald: pymatgen's OrderDisorderedStructureTransformation, ranked by Ewald's sum of guessed oxidation states, in the
  cell of the true crystal; none where no oxidation states can be guessed;
- random: sites filled at random, in the cell of the true crystal;
- swaps: Metropolis swaps with CHGNet's energies at 1000 K, in the cell of the true crystal, as many energies as the
  program may take; the eight lowest that were seen.

The rivals fill the true cell alone. Right: StructureMatcher takes a relaxed candidate for the true crystal, relaxed
alike; near: the lowest lies no more than 1 meV/atom above that. As the program also finds lower orderings in larger
cells, the lowest of those with at most as many atoms as the true crystal is told as well. Rows go to FOLDER/rows.jsonl;
a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import math
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from kept_rows import KeptRows
from ordering_cases import Averaged, cases
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure

N = 8
NEAR = 0.001  # eV/atom
ENERGIES = 256  # that the swaps may take, as many as the program compares at most
_KT = 8.617333e-5 * 1000  # eV
ARMS = ("program", "ewald", "random", "swaps")


def filled(case: Averaged, rng: np.random.Generator) -> Structure:
    """The average structure with the species of the true crystal on random sites of each kind."""
    structure = case.average.copy()
    groups: dict[tuple[tuple[str, float], ...], list[int]] = {}
    for k, site in enumerate(case.average):
        groups.setdefault(tuple(sorted(site.species.get_el_amt_dict().items())), []).append(k)
    for held, sites in groups.items():
        if len(held) == 1:
            continue
        mates = [case.crystal[k].specie.symbol for k in sites]
        for k, symbol in zip(sites, rng.permutation(mates), strict=True):
            structure[k] = str(symbol)
    return structure


def by_ewald(case: Averaged) -> list[Structure]:
    """The lowest orderings by Ewald's sum."""
    from pymatgen.transformations.standard_transformations import OrderDisorderedStructureTransformation

    guesses = case.crystal.composition.oxi_state_guesses()
    if not guesses:
        return []
    charged = case.average.copy()
    charged.add_oxidation_state_by_element(guesses[0])
    ranked = OrderDisorderedStructureTransformation(no_oxi_states=False).apply_transformation(charged, N)
    found = [entry["structure"] for entry in ranked] if isinstance(ranked, list) else [ranked]
    for structure in found:
        structure.remove_oxidation_states()
    return found[:N]


def by_swaps(case: Averaged, seed: int) -> list[Structure]:
    """The lowest orderings that Metropolis swaps see."""
    from chggen.crystals import from_structures
    from chggen.potential import energies_of, load_potential

    potential, rng = load_potential("chgnet"), np.random.default_rng(seed)

    def energy(structure: Structure) -> float:
        return float(energies_of(potential, from_structures([structure])).energy[0])

    now = filled(case, rng)
    shared = [k for k, site in enumerate(case.average) if len(site.species) > 1]
    kinds = [tuple(sorted(case.average[k].species.get_el_amt_dict().items())) for k in shared]
    height = energy(now)
    seen = {key(now): (height, now)}
    for _ in range(ENERGIES - 1):
        a = int(rng.integers(len(shared)))
        mates = [
            k
            for k, kind in zip(shared, kinds, strict=True)
            if kind == kinds[a] and now[k].specie != now[shared[a]].specie
        ]
        if not mates:
            continue
        other = int(rng.choice(mates))
        tried = now.copy()
        tried[shared[a]], tried[other] = now[other].specie, now[shared[a]].specie
        new = energy(tried)
        seen.setdefault(key(tried), (new, tried))
        if rng.random() < math.exp(min(0.0, -(new - height) / _KT)):
            now, height = tried, new
    return [structure for _, structure in sorted(seen.values(), key=lambda entry: entry[0])[:N]]


def key(structure: Structure) -> tuple[str, ...]:
    """What tells orderings of one cell apart."""
    return tuple(site.specie.symbol for site in structure)


def row_of(number: int, case: Averaged) -> dict[str, Any]:
    """All arms of a case."""
    import chggen

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    matcher = StructureMatcher()
    (true,) = chggen.relax([case.crystal])
    row: dict[str, Any] = {
        "number": number, "id": case.id, "pair": case.pair, "atoms": len(case.crystal), "true": true.energy_per_atom,
    }  # fmt: skip

    def told(name: str, make: Callable[[], list[tuple[Structure, float | None]]]) -> None:
        began = time.process_time()
        try:
            ends = make()
        except Exception as error:
            ends, row[f"{name}_failed"] = [], f"{type(error).__name__}: {error}"[:200]
        row[f"{name}_s"] = time.process_time() - began
        row[name] = [
            {
                "above": energy - true.energy_per_atom,
                "right": bool(matcher.fit(true.structure, structure)),
                "atoms": len(structure),
            }
            for structure, energy in ends
            if energy is not None
        ]

    def relaxed(structures: list[Structure]) -> list[tuple[Structure, float | None]]:
        return [(end.structure, end.energy_per_atom if end.converged else None) for end in chggen.relax(structures)]

    def ordered() -> list[tuple[Structure, float | None]]:
        found = chggen.order(case.average, n=N, workers=1, max_atoms=max(60, len(case.crystal)), references=())
        return [(c.structure, c.energy_per_atom) for c in found if c.status == "ok" and c.structure is not None]

    told("program", ordered)
    told("ewald", lambda: relaxed(by_ewald(case)) if case.average else [])
    rng = np.random.default_rng(number)
    told("random", lambda: relaxed([filled(case, rng) for _ in range(N)]))
    told("swaps", lambda: relaxed(by_swaps(case, number)))
    return row


def guarded(number: int, case: Averaged) -> dict[str, Any]:
    try:
        return row_of(number, case)
    except Exception as error:
        return {"number": number, "id": case.id, "failed": f"{type(error).__name__}: {error}"[:300]}


def print_table(rows: list[dict[str, Any]]) -> None:
    failed = [row for row in rows if "failed" in row]
    rows = [row for row in rows if "failed" not in row]
    print(f"{len(rows)} crystals, {len(failed)} failed\n")
    columns = ("arm", "true ordering among eight, %", "is the lowest, %", "is the lowest of cells as large, %",
               "lowest within 1 meV/atom or below, %", "CPU-s")  # fmt: skip
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for arm in ARMS:
        among = [any(t["right"] for t in row[arm]) for row in rows]
        lowest = [min(row[arm], key=lambda t: t["above"]) if row[arm] else None for row in rows]
        first = [bool(t and t["right"]) for t in lowest]
        own = [[t for t in row[arm] if t["atoms"] <= row["atoms"]] for row in rows]
        of_cell = [bool(some) and min(some, key=lambda t: t["above"])["right"] for some in own]
        near = [bool(t and t["above"] <= NEAR) for t in lowest]
        seconds = np.mean([row[f"{arm}_s"] for row in rows])
        print(f"| {arm} | {share(among)} | {share(first)} | {share(of_cell)} | {share(near)} | {seconds:.0f} |")


def share(flags: list[bool]) -> str:
    return f"{100 * sum(flags) / max(1, len(flags)):.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cases", type=int)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--table", action="store_true", help="print the table of the rows alone")
    args = parser.parse_args()
    kept = KeptRows(args.out / "rows.jsonl")
    if not args.table:
        done = {row["id"] for row in kept.rows}
        todo = [(k, case) for k, case in enumerate(cases(args.data, args.cases)) if case.id not in done]
        kept.compute(guarded, todo, args.workers)
    print_table(kept.rows)


if __name__ == "__main__":
    main()
