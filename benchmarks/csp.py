"""Structure from composition: chggen against random symmetric and random cells with the same CHGNet relaxation.

    python benchmarks/csp.py DATA [--sets cspbench uspex15 mp20 holdout val] [--arms chggen symmetric random] [--quick]
        [--first N] [--n 20] [--workers 2] [--out FOLDER]

Each target gives its composition and the atoms in its primitive cell, nothing else. Arms: *chggen*, `generate` with
`seeds auto`; *symmetric*, pyxtal's random crystals of a random space group; *random*, random Bravais cells, atoms at
random places no closer than 0.75 of their bond lengths where that can be had. chggen takes n candidates; the rivals as
many relaxations as it took for those (symmetric ones are relaxed twice, and failed ones drawn anew), the best of all
counting. Volumes come from the same model, relaxation is the same. mp20 and holdout: chggen's
raw structures, no relaxation, the first and any of n; the rivals raw and, one for each target, relaxed.

Lowest: the candidate of lowest energy; answer: what the run calls the likeliest, of chggen's by energy and prototype
(chggen.results.answers), of the others the lowest. Match: StructureMatcher(0.2, 0.3, 5); loose: (0.3, 0.5, 10),
Niggli-reduced, primitive_cell False. Seconds are those of the CPU, one process of one thread for each core. A run that
was killed goes on where it was, and the candidates stay in FOLDER/SET/TARGET. Prints Markdown tables. val: crystals of
the validation split, for benchmarks/answers.py, if asked for.
--first: the first N targets of each set, whose order is drawn at random once; --quick: the first 3, 3, 20 and 5.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import os
import shutil
import time
import warnings
from pathlib import Path

import numpy as np
from kept_rows import KeptRows

SETS = {"cspbench": 100, "uspex15": 15, "mp20": 500, "holdout": 200, "val": 100}
QUICK = {"cspbench": 3, "uspex15": 3, "mp20": 20, "holdout": 5, "val": 0}
RELAXED = ("cspbench", "uspex15", "val")  # sets whose candidates are relaxed
ARMS = ("chggen", "symmetric", "random")


def targets(name: str, data: Path):
    """Name and primitive structure of every target of a set, in a fixed order."""
    from pymatgen.core import Lattice, Structure

    if name == "cspbench":
        paths = sorted((data / "csp" / "cspbench").glob("*.cif"))
        shuffled = np.random.default_rng(0).permutation(len(paths))
        found = [(paths[i].stem, Structure.from_file(paths[i])) for i in shuffled]
    elif name == "uspex15":
        with open(data / "csp" / "uspex15.csv") as file:
            rows = list(csv.DictReader(file))
        found = [(r["pretty_formula"], Structure.from_str(r["cif"], fmt="cif")) for r in rows]
    else:
        crystals = dict(np.load(data / ("mp_structures.npz" if name == "holdout" else "mp20.npz")))
        if name != "holdout":
            split = "val" if name == "val" else "test"
            chosen = np.random.default_rng(0).permutation(np.flatnonzero(crystals["split"] == split))
        else:
            with gzip.open(data / "mp_table.csv.gz", "rt") as file:
                kept = {r["material_id"] for r in csv.DictReader(file) if r["holdout"] == "True"}
            sizes = np.diff(crystals["offsets"])
            large = [i for i, key in enumerate(crystals["ids"]) if key in kept and 21 <= sizes[i] <= 52]
            chosen = np.random.default_rng(0).permutation(large)
        found = []
        for i in chosen[: SETS[name]]:
            part = slice(crystals["offsets"][i], crystals["offsets"][i + 1])
            lattice = Lattice.from_parameters(*crystals["cell"][i])
            found.append(
                (str(crystals["ids"][i]), Structure(lattice, crystals["Z"][part], crystals["frac"][part].astype(float)))
            )
    return [(key, structure.get_primitive_structure()) for key, structure in found]


def counts_of(structure) -> dict[str, int]:
    return {k: int(v) for k, v in structure.composition.get_el_amt_dict().items()}


def random_symmetric(counts, volume, n, seed):
    """pyxtal's random crystals of space groups drawn evenly from 2-230; fewer than n where it finds none."""
    from pyxtal import pyxtal
    from pyxtal.symmetry import Group

    rng = np.random.default_rng(seed)
    found = []
    for _ in range(50 * n):
        number = int(rng.integers(2, 231))
        if len(found) == n:
            break
        if not Group(number).check_compatible(list(counts.values()))[0]:
            continue
        crystal = pyxtal()
        try:
            crystal.from_random(3, number, list(counts), list(counts.values()), random_state=int(rng.integers(2**31)))
        except Exception:  # pyxtal's own errors for cells it cannot fill
            continue
        if crystal.valid:
            structure = crystal.to_pymatgen().get_primitive_structure()
            if counts_of(structure) == counts:
                structure.scale_lattice(volume)
                found.append(structure)
    return found


def random_cells(counts, volume, n, seed):
    """Random Bravais cells with atoms at random places, kept apart as far as a hundred draws of each can."""
    from ase.data import covalent_radii
    from pymatgen.core import Element, Lattice, Structure

    from chggen.generation import random_bravais_cell

    found = []
    symbols = [s for s, k in counts.items() for _ in range(k)]
    radii = np.array([covalent_radii[Element(s).Z] for s in symbols])
    for k in range(n):
        rng = np.random.default_rng([seed, k])
        lattice = Lattice(random_bravais_cell(volume, rng).tolist())
        frac = rng.random((1, 3))
        for j in range(1, len(symbols)):
            tries = rng.random((100, 3))
            closeness = (lattice.get_all_distances(tries, frac) / (0.75 * (radii[:j] + radii[j]))).min(axis=1)
            good = np.flatnonzero(closeness >= 1)
            frac = np.concatenate([frac, tries[[good[0] if len(good) else int(closeness.argmax())]]])
        found.append(Structure(lattice, symbols, frac))
    return found


def outcomes(found):
    """What became of each candidate asked for; first the run's answer, in the place of what its own draws came to."""
    from chggen.campaign import outcome
    from chggen.results import answers

    made = {c.id: c for c in found}
    draws: dict[str, list[str]] = {}
    for name in made:
        if not name.endswith("-low"):
            draws.setdefault(_asked(name), []).append(name)
    ends = {asked: outcome(own, made) for asked, own in draws.items()}
    likeliest = {_asked(c.id): c for c in answers(found).values()}
    final = likeliest | ends | likeliest  # in the order of the first, by the word of the last
    return [c for c in final.values() if c is not None]


def _asked(name: str) -> str:
    """Id of the candidate that was asked for, of any of its draws."""
    return "-".join(name.split("-")[:3])


def relaxations_of(found) -> int:
    """Relaxations behind the candidates: symmetric ones that relaxed are pushed off it and relaxed again."""
    own = [c for c in found if c.failed_at not in ("draw", "sample", "screen") and not c.id.endswith("-low")]
    return len(own) + sum(c.energy_per_atom is not None and c.seed_source != "bravais" for c in own)


def made(arm, counts, n, relaxed, seed, folder):
    """Structures with their energies (None: not relaxed), in the order made, and how many relaxations it took.

    folder: chggen's own, which keeps its candidates.
    """
    import chggen
    from chggen.generation import volume_per_atom

    if arm == "chggen":
        formula = "".join(f"{s}{k}" for s, k in counts.items())
        found = chggen.generate(
            formula,
            n=n,
            seed=seed,
            formula_units=[1],
            cells_from=["auto"],
            relax=relaxed,
            workers=1,
            references=["shipped"],
            out=folder,
        )
        if relaxed:
            return [(c.structure, c.energy_per_atom) for c in outcomes(found)], relaxations_of(found)
        return [(c.structure, None) for c in sorted(found, key=lambda c: c.id) if c.status == "ok"], 0
    volume = sum(counts.values()) * volume_per_atom(counts)
    structures = (random_symmetric if arm == "symmetric" else random_cells)(counts, volume, n, seed)
    if not relaxed:
        return [(s, None) for s in structures], 0
    done = chggen.relax(structures, potential="chgnet", fmax=0.1, max_steps=500)
    return [(r.structure, r.energy_per_atom) for r in done if r.converged], len(done)


def judged(target, found, relaxed, ranked):
    """What the structures of an arm are worth; ranked: its first is its answer, else the lowest."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    from chggen.symmetry import space_group

    strict = StructureMatcher(ltol=0.2, stol=0.3, angle_tol=5)
    loose = StructureMatcher(ltol=0.3, stol=0.5, angle_tol=10, primitive_cell=False)
    reduced = target.get_reduced_structure(reduction_algo="niggli")

    def rms(structure):
        try:
            off = loose.get_rms_dist(reduced, structure.get_reduced_structure(reduction_algo="niggli"))
        except Exception:  # a cell that cannot be reduced matches nothing
            return None
        return None if off is None else float(off[0])

    order = sorted(range(len(found)), key=lambda k: found[k][1]) if relaxed else list(range(len(found)))
    structures = [found[k][0] for k in order]
    answer = order.index(0) if found and ranked else 0
    fits = [bool(strict.fit(target, s)) for s in structures]
    near = [rms(s) for s in structures]
    matched = [x for x in near if x is not None]
    return {
        "found": len(structures),
        "first": bool(fits and fits[0]),
        "answer": bool(fits and fits[answer]),
        "answer_rms": near[answer] if near else None,
        "any": any(fits),
        "hits": sum(fits),
        "first_rms": near[0] if near else None,
        "any_rms": min(matched, default=None),
        "space_group": bool(structures) and space_group(structures[answer], 0.1) == space_group(target, 0.1),
    }


def rows_of(job):
    """One target of a set by arms; rivals are given as many relaxations as chggen took, spent where it is known."""
    import torch

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    name, key, target, arms, n, spent, folder = job
    if "chggen" in arms:  # what is left of a run that was killed
        shutil.rmtree(folder, ignore_errors=True)
    counts = counts_of(target)
    rows = []
    for arm in arms:
        if name in RELAXED:
            kinds = [(n if arm == "chggen" else spent, True)]
        else:
            kinds = [(n, False)] if arm == "chggen" else [(n, False), (1, True)]
        for size, relaxed in kinds:
            began = time.process_time()
            found, relaxations = made(arm, counts, size, relaxed, 0, folder)
            seconds = time.process_time() - began
            row = {
                "set": name, "target": key, "arm": arm, "n": n if name in RELAXED else size, "relaxed": relaxed,
                "atoms": len(target), "seconds": seconds, "relaxations": relaxations,
            }  # fmt: skip
            rows.append(row | judged(target, found, relaxed, arm == "chggen"))
            if arm == "chggen" and relaxed:
                spent = relaxations
    return rows


def percent(hits) -> str:
    return f"{100 * np.mean(list(hits)):.1f}"


def table(rows) -> None:
    """One line for each set, arm and kind."""
    heads = ("set", "targets", "arm", "n", "match, lowest", "match, answer", "match, any", "loose, answer (RMSD)",
             "loose, any", "lowest, RMSD < 0.1", "answer, RMSD < 0.1", "space group", "relaxations", "CPU s / target",
             "matched / CPU h")  # fmt: skip
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    kinds = dict.fromkeys((r["set"], r["arm"], r["n"], r["relaxed"]) for r in rows)
    for name, arm, n, relaxed in sorted(kinds, key=lambda k: (list(SETS).index(k[0]), ARMS.index(k[1]), k[3], -k[2])):
        own = [r for r in rows if (r["set"], r["arm"], r["n"], r["relaxed"]) == (name, arm, n, relaxed)]
        first = [r["answer_rms"] for r in own if r["answer_rms"] is not None]
        seconds = sum(r["seconds"] for r in own)
        cells = [
            name, len(own), f"{arm}, {'relaxed' if relaxed else 'raw'}", n,
            percent(r["first"] for r in own), percent(r["answer"] for r in own), percent(r["any"] for r in own),
            f"{percent(r['answer_rms'] is not None for r in own)} ({f'{np.mean(first):.3f}' if first else '–'})",
            percent(r["any_rms"] is not None for r in own),
            *(percent(r[k] is not None and r[k] < 0.1 for r in own) for k in ("first_rms", "answer_rms")),
            percent(r["space_group"] for r in own), sum(r["relaxations"] for r in own),
            f"{seconds / len(own):.1f}", f"{3600 * sum(r['any'] for r in own) / seconds:.0f}",
        ]  # fmt: skip
        print(f"| {' | '.join(map(str, cells))} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", default=[s for s in SETS if s != "val"], choices=SETS)
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--first", type=int, help="targets of each set")
    parser.add_argument("--n", type=int, default=20)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=Path("runs/csp"))
    args = parser.parse_args()
    kept = KeptRows(args.out / "rows.jsonl")
    done = {(r["set"], r["target"], r["arm"]): r["relaxations"] for r in kept.rows}
    sizes = QUICK if args.quick else SETS
    asked = []
    for name in args.sets:
        for key, target in targets(name, args.data)[: min(sizes[name], args.first or sizes[name])]:
            arms = [arm for arm in args.arms if (name, key, arm) not in done]
            spent = done.get((name, key, "chggen"), args.n)
            asked.append((name, key, target, arms, args.n, spent, args.out / name / key))
    kept.compute(rows_of, [(job,) for job in asked if job[3]], args.workers)
    wanted = {job[:2] for job in asked}
    table([r for r in kept.rows if (r["set"], r["target"]) in wanted])


if __name__ == "__main__":
    main()
