"""Contents between empty and full: does the scan find the lowest arrangement of ions among all that there are?

    python benchmarks/electrode_orderings.py DATA --out FOLDER [--hosts CoO2 …] [--sites 12] [--workers 2] [--table]

Ten layered, spinel, olivine and tunnel hosts, in supercells of 12 ion sites and at most 84 atoms. The full crystal is
what the scan of the cell as it is finds; all symmetry-distinct ways to take a quarter, a half and three quarters of its
ions out are relaxed (`all`). The program scans the same contents of the same empty supercell, four candidates each and
what it adds by itself; it is not told the sites. Beside it stands the chance that as many orderings drawn at random
from all hold one as low. Rows go to FOLDER/orderings.jsonl; a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from electrode_cases import pairs, textbook
from kept_rows import KeptRows
from pymatgen.core import Structure

N = 4  # candidates of each content that the program is asked for
NEAR = 0.002  # eV/atom above the lowest of all that still counts
ATOMS = 84
SHARES = (0.25, 0.5, 0.75)
MOST = 400  # orderings of a content that are relaxed
TEXTBOOK = {"CoO2": "layered", "TiS2": "layered", "Mn2O4": "spinel", "FePO4": "olivine", "MnPO4": "olivine"}
PAIRS = {
    ("mp-25236", "Na"): "layered",
    ("mp-985831", "Li"): "layered",
    ("mp-1400837", "Zn"): "spinel",
    ("mp-1371977", "Na"): "tunnel",
    ("mp-1354190", "Na"): "tunnel",
}
"""Empty crystals of the pairs kept apart, and their ions."""


@dataclass(frozen=True)
class Case:
    """A host and its ion."""

    name: str
    ion: str
    host: Structure
    full: int


def cases(data: Path) -> list[Case]:
    """The hosts: of the textbook electrodes, and of the pairs that are kept apart."""
    kinds = {(t.formula, t.ion): t for t in textbook(data) if t.ion == "Li"}
    found = [
        Case(f"{formula}, {kind}", "Li", kinds[formula, "Li"].host, kinds[formula, "Li"].counts[1])
        for formula, kind in TEXTBOOK.items()
    ]
    for pair in pairs(data):
        if kind := PAIRS.get((pair.ids[1], pair.ion)):
            formula = pair.host.composition.reduced_formula
            found.append(Case(f"{formula} {pair.ids[1]}, {kind}", pair.ion, pair.host, pair.n_ions))
    return found


def supercell(case: Case, sites: int) -> tuple[int, int, int] | None:
    """Multiples with so many ion sites, closest to a cube."""
    edges = case.host.lattice.abc
    ways = []
    for multiples in itertools.product(range(1, sites + 1), repeat=3):
        cells = math.prod(multiples)
        if cells * case.full == sites and cells * len(case.host) + sites <= ATOMS:
            shape = [m * e for m, e in zip(multiples, edges, strict=True)]
            ways.append((round(max(shape) / min(shape), 4), multiples))
    return min(ways)[1] if ways else None


def rows_of(number: int, case: Case, sites: int) -> list[dict[str, Any]]:
    """A row for each content of a host."""
    import chggen
    from chggen.generation import vacancy_orderings

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    multiples = supercell(case, sites)
    if multiples is None:
        return [{"number": number, "name": case.name, "ion": case.ion, "failed": f"no supercell of {sites} sites"}]
    given: dict[str, Any] = {"n": N, "workers": 1, "second_level_best": 0}
    small = chggen.electrode(case.host, case.ion, counts=(0, case.full), **given)
    best = small.best(small.contents[-1])
    assert best is not None
    assert best.structure is not None
    n_host = len(case.host)
    parts = [Structure.from_sites(list(best.structure)[a:b]) for a, b in ((0, n_host), (n_host, None))]
    for part in parts:
        part.make_supercell(multiples)
    full = Structure.from_sites([*parts[0], *parts[1]])
    ions = list(range(len(parts[0]), len(full)))
    host = case.host.copy()
    host.make_supercell(multiples)
    counts = [round(share * len(ions)) for share in SHARES]
    began = time.process_time()
    scan = chggen.electrode(host, case.ion, counts=(0, *counts, len(ions)), **given)
    seconds = time.process_time() - began
    rows = []
    for count in counts:
        ways = vacancy_orderings(full, ions, len(ions) - count)
        row: dict[str, Any] = {
            "number": number, "name": case.name, "ion": case.ion, "sites": len(ions), "count": count,
            "atoms": len(host) + count, "ways": len(ways), "program_s": seconds,
        }  # fmt: skip
        made = [c for c in scan.candidates if c.structure is not None and c.structure.composition[case.ion] == count]
        row["program"] = [c.energies["pbe"] for c in made if c.status == "ok" and "pbe" in c.energies]
        row["relaxations"] = sum(f"-{case.ion}{count}-" in c.id for c in scan.candidates)
        if len(ways) <= MOST:
            began = time.process_time()
            structures = []
            for taken in ways:
                left = full.copy()
                left.remove_sites(taken)
                structures.append(left)
            ends = chggen.relax(structures, fmax=0.1)
            row["all"] = sorted(end.energy_per_atom for end in ends if end.energy_per_atom is not None)
            row["all_s"] = time.process_time() - began
        rows.append(row)
    return rows


def guarded(number: int, case: Case, sites: int) -> list[dict[str, Any]]:
    try:
        return rows_of(number, case, sites)
    except Exception as error:
        failed = f"{type(error).__name__}: {error}"[:300]
        return [{"number": number, "name": case.name, "ion": case.ion, "failed": failed}]


def by_chance(energies: list[float], lowest: float, drawn: int) -> float:
    """Chance that one of so many different orderings lies no more than 2 meV/atom above the lowest."""
    low = sum(e <= lowest + NEAR for e in energies)
    n, drawn = len(energies), min(drawn, len(energies))
    return 1 - math.comb(n - low, drawn) / math.comb(n, drawn)


def print_table(rows: list[dict[str, Any]]) -> None:
    columns = ("host", "ions", "ways", "relaxations", "above the lowest of all, meV/atom", "found", "by chance, %",
               "CPU-s of the scan", "of all ways")  # fmt: skip
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    found, chance, share = [], [], []
    for row in sorted(rows, key=lambda row: (row["number"], row.get("count", 0))):
        if "failed" in row or "all" not in row or not row["program"]:
            why = row.get("failed", "too many to relax all")
            print(f"| {row['name']} with {row['ion']} | {row.get('count', '')} | {row.get('ways', '')} | {why} |||||")
            continue
        above = 1000 * (min(row["program"]) - row["all"][0])
        found.append(above <= 1000 * NEAR)
        chance.append(by_chance(row["all"], row["all"][0], row["relaxations"]))
        share.append(row["relaxations"] / row["ways"])
        print(
            f"| {row['name']} with {row['ion']} | {row['count']} of {row['sites']} | {row['ways']} | "
            f"{row['relaxations']} | {above:+.1f} | {'yes' if found[-1] else 'no'} | {100 * chance[-1]:.0f} | "
            f"{row['program_s']:.0f} | {row['all_s']:.0f} |"
        )
    if found:
        print(
            f"\n{sum(found)} of {len(found)} contents ({100 * sum(found) / len(found):.0f} %), by chance "
            f"{100 * sum(chance) / len(chance):.0f} %; relaxations {sum(r['relaxations'] for r in rows if 'all' in r)} "
            f"against {sum(len(r['all']) for r in rows if 'all' in r)} of all ways"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hosts", nargs="+", help="beginnings of their names; default: all")
    parser.add_argument("--sites", type=int, default=12, help="ion sites of the supercell, divisible by 4")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--table", action="store_true", help="print the table of the rows alone")
    args = parser.parse_args()
    kept = KeptRows(args.out / "orderings.jsonl")
    if not args.table:
        done = {(row["name"], row["ion"]) for row in kept.rows}
        asked = tuple(args.hosts or [""])
        every = [(k, case) for k, case in enumerate(cases(args.data)) if case.name.startswith(asked)]
        todo = [(k, case, args.sites) for k, case in every if (case.name, case.ion) not in done]
        kept.compute(guarded, todo, args.workers)
    print_table(kept.rows)


if __name__ == "__main__":
    main()
