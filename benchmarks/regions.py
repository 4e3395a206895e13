"""Holes in known crystals, filled again: does what is put back make the crystal whole?

    python benchmarks/regions.py DATA --out FOLDER [--cases 60] [--workers 2] [--table]

Supercells of 80 to 200 atoms of which a slab of 5 Å or a sphere of 4 Å is taken out, a third of them in a cell strained
by 1 % (region_cases.py, benchmarks/ids/regions.json). Arms, each with four relaxations by CHGNet in the same run and by
the same options (cell fixed, fmax 0.1 eV/Å):

- program: `chggen.inpaint(crystal, remove=REGION)`: the host's own pattern, then the score network three times, on
  orbits of the translations that the host with its hole keeps where it keeps any;
- random: the same atoms at random in the region, no closer to any atom than 1.6 Å or less where there is no room.

Healed: StructureMatcher takes the whole for the crystal and every atom that was put back lies within 0.5 Å of its site,
or the whole lies no more than 2 meV/atom above the crystal, relaxed by the same options. Rows go to FOLDER/rows.jsonl
as they end; a run that was stopped goes on. Prints the table from the rows.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hosts import Case, guests_near
from kept_rows import KeptRows
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure
from region_cases import KINDS, Hole, cases

from chggen.regions import Region, region_of

N = 4  # relaxations of an arm
FMAX = 0.1  # eV/Å
NEAR = 0.002  # eV/atom above the crystal that still counts
ARMS = ("program", "random")


def random_filling(hole: Hole, rng: np.random.Generator) -> Structure:
    """The rival: what was taken out of a crystal, put back at random."""
    framework = hole.crystal.copy()
    taken = np.flatnonzero(hole.taken).tolist()
    framework.remove_sites(taken)
    counts = Counter(hole.crystal[k].specie.symbol for k in taken)
    return fill_at_random(framework, counts, region_of(hole.region, hole.crystal), rng)


def fill_at_random(
    framework: Structure, counts: Mapping[str, int], region: Region, rng: np.random.Generator
) -> Structure:
    """Atoms one by one at uniform positions of the region, as far apart as they fit, as in hosts.py."""
    lattice, wanted = framework.lattice, len(framework) + sum(counts.values())
    for closest in (1.6, 1.4, 1.2, 1.0, 0.8, 0.5, 0.0):
        for _ in range(10):
            filled = framework.copy()
            for symbol in (symbol for symbol, count in counts.items() for _ in range(count)):
                tried = lattice.get_fractional_coords(region.draw(30, rng))
                near = lattice.get_all_distances(tried, filled.frac_coords).min(1)
                good = np.flatnonzero(near >= closest)
                if not len(good):
                    break
                filled.append(symbol, tried[good[0]])
            if len(filled) == wanted:
                return filled
    raise AssertionError("unreachable: distance 0 accepts every draw")


def healed(hole: Hole, made: Structure, energy: float, reference: float) -> bool:
    """Whether a filling is the crystal again, or as low."""
    if energy <= reference + NEAR:
        return True
    case = Case(hole.id, hole.crystal, tuple(np.flatnonzero(hole.taken).tolist()))
    fits = StructureMatcher(primitive_cell=False).fit(hole.crystal, made)
    return bool(fits and guests_near(case, made))


def rows_of(number: int, hole: Hole) -> list[dict[str, Any]]:
    """What the arms make of a case."""
    import chggen

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    options: dict[str, Any] = {"fix_cell": True, "fmax": FMAX}
    (crystal,) = chggen.relax([hole.crystal], **options)
    rows = []
    for arm in ARMS:
        began = time.process_time()
        if arm == "random":
            rng = np.random.default_rng([7, number])
            ends = [
                (end.structure, end.energy_per_atom if end.converged else None, "random")
                for end in chggen.relax([random_filling(hole, rng) for _ in range(N)], **options)
            ]
        else:
            try:
                made = chggen.inpaint(
                    hole.crystal, remove=hole.region, n=N, seed=number, workers=1,
                    references=None, **options,
                )  # fmt: skip
            except chggen.InputError as error:
                print(f"{hole.id}: {error}", flush=True)
                made = []
            made = sorted(made, key=lambda c: c.id)
            ends = [(c.structure, c.energy_per_atom if c.status == "ok" else None, c.seed_source) for c in made]
        assert crystal.energy_per_atom is not None
        good = [
            energy is not None and healed(hole, structure, energy, crystal.energy_per_atom)
            for structure, energy, _ in ends
        ] or [False] * N
        above = [None if e is None else 1000 * (e - crystal.energy_per_atom) for _, e, _ in ends]
        rows.append({
            "id": hole.id, "kind": hole.kind, "arm": arm, "healed": good, "above": above, "atoms": len(hole.crystal),
            "taken": int(hole.taken.sum()), "sources": [s for *_, s in ends], "s": time.process_time() - began,
        })  # fmt: skip
    return rows


def print_table(rows: list[dict[str, Any]]) -> None:
    print(
        "| hole | crystals | arm | healed by one, % | by one of four, % | lowest above the crystal, meV/atom | CPU-s |"
    )
    print("|---|---|---|---|---|---|---|")
    for kind in (*KINDS, "all"):
        for arm in ARMS:
            own = [row for row in rows if row["arm"] == arm and kind in (row["kind"], "all")]
            if not own:
                continue
            one, any_ = (100 * np.mean(list(map(f, (row["healed"] for row in own)))) for f in (lambda h: h[0], any))
            low = [min((a for a in row["above"] if a is not None), default=np.nan) for row in own]
            print(
                f"| {kind} | {len(own)} | {arm} | {one:.1f} | {any_:.1f} | {np.nanmedian(low):.1f} | "
                f"{np.median([row['s'] for row in own]):.0f} |"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cases", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--table", action="store_true", help="print the table of the rows alone")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    kept = KeptRows(args.out / "rows.jsonl")
    if not args.table:
        done = {row["id"] for row in kept.rows}
        wanted = list(enumerate(cases(args.data)))[: args.cases]
        kept.compute(rows_of, [entry for entry in wanted if entry[1].id not in done], args.workers)
    print_table(kept.rows)


if __name__ == "__main__":
    main()
