"""Insertion electrodes: are ions put where they belong, and what voltage comes out?

    python benchmarks/electrodes.py DATA --out FOLDER [--pairs 120] [--trained] [--workers 2]
    python benchmarks/electrodes.py DATA --out FOLDER --table
    python benchmarks/electrodes.py DATA --out FOLDER --textbook

Pairs of crystals with one framework, without and with the ion (electrode_pairs.py). The empty one is given; the known
filled one is never a source. Arms, each with four relaxations of the filled cell in the same run and the same options,
and after a push once more of the lowest, and of the next one where that lies near, as the program does it; and the
same with one candidate and its push:

- program: `chggen.electrode` with the contents empty and full, four candidates, and once more with one;
- random: ions at random, no closer to any atom than a distance that falls until they fit (hosts.random_placement);
- voronoi: ions at the vertices of the Voronoi cells of the framework's atoms, the widest first, each at least 1.8 Å
  from the others; the first of the four takes the widest, the others begin with the second, third and fourth.

The known crystal and the empty one are relaxed as they are, and once more after the same push (PBE level).
A candidate is right if StructureMatcher takes it for the known crystal, relaxed by the same potential, or if it lies no
more than 2 meV/atom above that. Rows go to FOLDER/rows.jsonl as they end; a run that was stopped goes on. Prints the
tables from the rows. --textbook: instead, the average voltages of electrodes that have been measured.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from electrode_cases import Pair, pairs, textbook
from hosts import Case, random_placement
from kept_rows import KeptRows
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure
from scipy.spatial import Voronoi

from chggen.campaign.relax_and_refine import pushed

N = 4  # relaxations of the filled cell, in each arm
FMAX = 0.03  # eV/Å, as `chggen electrode` relaxes
NEAR = 0.002  # eV/atom above the known crystal that still counts
LEVELS = {"pbe": "chgnet", "r2scan": "chgnet-r2scan"}
_APART = 1.8  # Å between ions on Voronoi vertices


def voronoi_fillings(host: Structure, ion: str, n_ions: int, n: int) -> list[Structure]:
    """Ions on Voronoi vertices of a host, the widest first."""
    images = np.array(np.meshgrid(*[(-1, 0, 1)] * 3, indexing="ij")).reshape(3, -1).T
    points = (host.frac_coords[:, None] + images).reshape(-1, 3) @ host.lattice.matrix
    vertices = Voronoi(points).vertices @ np.linalg.inv(host.lattice.matrix)
    inside = vertices[((vertices > -1e-6) & (vertices < 1 - 1e-6)).all(axis=1)]
    width = host.lattice.get_all_distances(inside, host.frac_coords).min(axis=1)
    found = []
    order = np.argsort(-np.round(width, 3), kind="stable")
    for first in range(n):
        structure, left = host.copy(), [*order[first:], *order[:first]]
        taken: list[np.ndarray] = []
        for apart in (_APART, 1.2, 0.6):
            for k in left:
                if len(taken) == n_ions:
                    break
                if not taken or host.lattice.get_all_distances(inside[k][None], np.array(taken)).min() > apart:
                    taken.append(inside[k])
        for frac in taken:
            structure.append(ion, frac)
        if len(taken) == n_ions:
            found.append(structure)
    return found


def relaxed(structures: list[Structure], potential: str = "chgnet") -> list[Any]:
    import chggen

    return chggen.relax(structures, potential=potential, fmax=FMAX)


def with_push(structures: list[Structure], seed: int) -> tuple[list[Any], list[Any]]:
    """The ends of relaxing structures with those of the lowest ones, pushed and relaxed once more; the first's alone.

    Pushed are, by the rule of the program, the lowest and the next one that differs by more than 2 and at most 10
    meV/atom.
    """
    ends = relaxed(structures)
    good = sorted((end for end in ends if end.converged), key=lambda end: end.energy_per_atom)
    others = [end for end in good if end.energy_per_atom > good[0].energy_per_atom + NEAR]
    near = [end for end in others[:1] if end.energy_per_atom < good[0].energy_per_atom + 0.01]
    chosen = [*good[:1], *near]
    first = [end for end in ends[:1] if end.converged]
    wanted = chosen + [end for end in first if not any(end is other for other in chosen)]
    after = dict(zip(map(id, wanted), relaxed([pushed(end.structure, seed) for end in wanted]), strict=True))
    return ends + [after[id(end)] for end in chosen], ends[:1] + [after[id(end)] for end in first]


def told(ends: list[Any], known: Any) -> list[dict[str, Any]]:
    """For each relaxed structure its energy above the known crystal and whether it is that crystal."""
    matcher = StructureMatcher()
    return [
        {
            "above": None
            if end.energy_per_atom is None or not end.converged
            else end.energy_per_atom - known.energy_per_atom,
            "match": bool(end.converged and matcher.fit(known.structure, end.structure)),
        }
        for end in ends
    ]


def row_of(number: int, pair: Pair) -> dict[str, Any]:
    """All arms of a pair."""
    import chggen

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    row: dict[str, Any] = {
        "number": number, "ids": pair.ids, "ion": pair.ion, "n_ions": pair.n_ions, "anion": pair.anion,
        "atoms": len(pair.full), "voltage_dft": pair.voltage_dft, "trained": pair.filled_in_training,
    }  # fmt: skip
    known, empty = relaxed([pair.full, pair.host])
    row["known"], row["empty"] = known.energy_per_atom, empty.energy_per_atom
    refined = relaxed([known.structure, empty.structure], "chgnet-r2scan")
    row["known_r2scan"], row["empty_r2scan"] = (end.energy_per_atom if end.converged else None for end in refined)
    off_saddles = relaxed([pushed(end.structure, number) for end in (known, empty)])
    for name, end in zip(("known", "empty"), off_saddles, strict=True):
        row[f"{name}_pushed"] = end.energy_per_atom if end.converged else None

    began = time.process_time()
    electrode = chggen.electrode(pair.host, pair.ion, counts=(0, pair.n_ions), n=N, workers=1)
    row["program_s"] = time.process_time() - began
    began = time.process_time()
    alone = chggen.electrode(pair.host, pair.ion, counts=(0, pair.n_ions), n=1, workers=1, second_level_best=0)
    row["program_one_s"] = time.process_time() - began
    for name, made in (("program", electrode), ("program_one", alone)):
        row[name] = told_of(made, pair, known)
    row["voltage"] = {
        level: electrode.at(level).average_voltage for level in electrode.levels if level in electrode.elements
    }
    row["elements"] = dict(electrode.elements)
    row["valence"] = electrode.valence

    placing = Case("", Structure.from_sites([*pair.host, *_ions(pair)]), tuple(range(len(pair.host), len(pair.full))))
    began = time.process_time()
    random = [random_placement(placing, np.random.default_rng([number, k])) for k in range(N)]
    every, one = with_push(random, number)
    row["random_s"] = time.process_time() - began
    row["random"], row["random_one"] = told(every, known), told(one, known)
    began = time.process_time()
    voronoi = voronoi_fillings(pair.host, pair.ion, pair.n_ions, N)
    every, one = with_push(voronoi, number)
    row["voronoi_s"] = time.process_time() - began
    row["voronoi"], row["voronoi_one"] = told(every, known), told(one, known)
    return row


def told_of(electrode: Any, pair: Pair, known: Any) -> list[dict[str, Any]]:
    """The full content's candidates of the program, as `told` tells those of others."""
    matcher = StructureMatcher()
    return [
        {
            "above": None if c.energies.get("pbe") is None else c.energies["pbe"] - known.energy_per_atom,
            "match": bool(c.status == "ok" and matcher.fit(known.structure, c.structure)),
            "source": c.seed_source,
            "reason": c.reason,
        }
        for c in sorted(electrode.candidates, key=lambda c: c.id)
        if f"{pair.ion}{pair.n_ions}-" in c.id
    ]


def _ions(pair: Pair) -> list[Any]:
    """Sites of the ions alone, wherever: they are drawn anew."""
    filled = pair.host.copy()
    for k in range(pair.n_ions):
        filled.append(pair.ion, [0.01 * k, 0, 0])
    return list(filled)[len(pair.host) :]


def guarded(number: int, pair: Pair) -> dict[str, Any]:
    try:
        return row_of(number, pair)
    except Exception as error:
        return {
            "number": number,
            "ids": pair.ids,
            "ion": pair.ion,
            "anion": pair.anion,
            "failed": f"{type(error).__name__}: {error}",
        }


def right(tries: list[dict[str, Any]]) -> bool:
    """Whether the lowest is the known crystal, or as low."""
    good = [t for t in tries if t["above"] is not None]
    if not good:
        return False
    lowest = min(good, key=lambda t: t["above"])
    return lowest["match"] or lowest["above"] <= NEAR


def known_voltage(row: dict[str, Any], level: str, pushed: bool = False) -> float | None:
    """Average voltage from the known filled crystal, by the same potential; pushed: both ends fall off saddles."""
    suffix = "" if level == "pbe" else "_r2scan"
    full, empty, element = row[f"known{suffix}"], row[f"empty{suffix}"], row["elements"].get(level)
    if full is None or empty is None or element is None:
        return None
    if pushed and not suffix:
        full, empty = (
            min(x for x in (end, row[f"{name}_pushed"]) if x is not None)
            for end, name in ((full, "known"), (empty, "empty"))
        )
    n, atoms = row["n_ions"], row["atoms"]
    return -(full * atoms - empty * (atoms - n) - n * element) / (n * row["valence"])


def share(flags: list[bool]) -> str:
    return "–" if not flags else f"{100 * sum(flags) / len(flags):.1f}"


def print_tables(rows: list[dict[str, Any]]) -> None:
    failed = [row for row in rows if "failed" in row]
    rows = [row for row in rows if "failed" not in row]
    print(f"{len(rows)} pairs, {len(failed)} failed\n")
    arms = ("program", "random", "voronoi")
    columns = [f"{arm}, {n}" for arm in arms for n in ("one", "lowest of four")]
    columns += [f"CPU-s, {arm}" for arm in arms]
    print(f"| pairs | n | {' | '.join(columns)} |")
    print("|---|" + "---|" * 10)
    groups = [("all", rows)]
    groups += [(ion, [r for r in rows if r["ion"] == ion]) for ion in dict.fromkeys(r["ion"] for r in rows)]
    groups += [(anion, [r for r in rows if r["anion"] == anion]) for anion in dict.fromkeys(r["anion"] for r in rows)]
    for name, some in groups:
        cells = [share([right(r[f"{arm}{n}"]) for r in some]) for arm in arms for n in ("_one", "")]
        seconds = [f"{np.mean([r[f'{arm}_s'] for r in some]):.1f}" for arm in arms]
        print(f"| {name} | {len(some)} | {' | '.join(cells)} | {' | '.join(seconds)} |")
    columns = ("voltage", "n", "within 0.05 V", "or higher", "within 0.05 V of the pushed", "error against DFT, search",
               "known crystal", "pushed")  # fmt: skip
    print(f"\n| {' | '.join(columns)} |")
    print("|---|---|---|---|---|---|---|---|")
    for level in LEVELS:
        for name, some in groups:
            every = [
                (r["voltage"].get(level), known_voltage(r, level), known_voltage(r, level, True), r["voltage_dft"])
                for r in some
            ]
            given = [(a, b, c) for a, b, c, _ in every if None not in (a, b, c)]
            shares = [share([abs(a - b) < 0.05 for a, b, _ in given]), share([a > b - 0.05 for a, b, _ in given]),
                      share([abs(a - c) < 0.05 for a, _, c in given])]  # fmt: skip
            dft = [[abs(v - d) for v in (a, b, c)] for a, b, c, d in every if None not in (a, b, c, d)]
            errors = [f"{np.mean(column):.2f} ({len(dft)})" for column in zip(*dft, strict=True)] or ["–"] * 3
            print(f"| {level}, {name} | {len(given)} | {' | '.join(shares)} | {' | '.join(errors)} |")


def print_textbook(data: Path, out: Path) -> None:
    """The measured electrodes, scanned between the contents that the measurement is of."""
    import chggen

    print("| electrode | contents | measured, V | PBE (CHGNet) | r²SCAN (CHGNet) | error of the potential | s |")
    print("|---|---|---|---|---|---|---|")
    for case in textbook(data):
        began = time.time()
        found = chggen.electrode(case.host, case.ion, counts=case.counts, n=N, out=out / case.name)
        at = {level: found.at(level).average_voltage for level in found.levels}
        said = [f"{at[level]:.2f}" if level in at else "–" for level in LEVELS]
        low, high = case.contents
        print(
            f"| {case.name} | {low:g} to {high:g} {case.ion} | {case.stated} | {' | '.join(said)} | "
            f"{found.voltage_error:.2f} | {time.time() - began:.0f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=120)
    parser.add_argument("--trained", action="store_true", help="pairs whose filled formula is in training")
    parser.add_argument("--ions", nargs="+", help="of these ions only")
    parser.add_argument("--anions", nargs="+", help="of these classes only")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--table", action="store_true", help="print the tables of the rows alone")
    parser.add_argument("--textbook", action="store_true", help="measured electrodes instead")
    args = parser.parse_args()
    if args.textbook:
        print_textbook(args.data, args.out)
        return
    kept = KeptRows(args.out / "rows.jsonl")
    if not args.table:
        done = {tuple(row["ids"]) for row in kept.rows}
        every = pairs(args.data, trained=args.trained, most=args.pairs)
        wanted = [p.ion in (args.ions or [p.ion]) and p.anion in (args.anions or [p.anion]) for p in every]
        todo = [(k, p) for k, p in enumerate(every) if wanted[k] and p.ids not in done]
        kept.compute(guarded, todo, args.workers)
    print_tables(kept.rows)


if __name__ == "__main__":
    main()
