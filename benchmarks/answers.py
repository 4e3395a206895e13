"""How far to trust energies and prototypes: fits what the probability of a crystal goes by, on crystals of `val`.

    python benchmarks/csp.py DATA --sets val --arms chggen --first 60 --out RUNS
    python benchmarks/judges.py DATA --sets val --first 60 --out RUNS
    python benchmarks/answers.py DATA RUNS [--sets val]
    python benchmarks/answers.py DATA --scale 300

Of each target's distinct structures some may be the crystal, by StructureMatcher(0.2, 0.3, 5). Its energies are those
of the last judge, or, with --unjudged, of the potential of the run. Prints: the constants of maximum likelihood beside
those of the program (`chggen.results.likeliest`), and how often stated probabilities come true, by fifths. Constants
are fitted on `val` alone; for tests, `--sets cspbench uspex15`. What is read from the folders is kept in RUNS; that of
the runs in docs/benchmarks/judges.md stands in benchmarks/results/judged, which can be given as RUNS.
--scale: instead, by which power of exp(likeness) a prototype is that of a crystal of `val`: all prototypes of its
content are laid over its cell, and none of them may be right, too.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from csp import SETS, counts_of, targets
from hosts import structures
from kept_rows import KeptRows
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure
from scipy.optimize import minimize

from chggen.generation import analogues, count_prototypes, empty_host, prototype_of
from chggen.results import read_candidates
from chggen.results.likeliest import Trust, shared_out, trust_in


@dataclass(frozen=True)
class Found:
    """The distinct structures of a target: energies (eV/atom), log-odds of prototypes (NaN: none), times found."""

    energy: np.ndarray
    odds: np.ndarray
    found: np.ndarray
    right: np.ndarray

    @classmethod
    def of(cls, row: dict, judged: bool) -> Found:
        energies = np.array([e[-1 if judged else 0] for e in row["energies"]], dtype=float)
        kept = np.array([len(e) for e in row["energies"]])
        chosen = kept == kept.max() if judged else np.full(len(kept), True)
        odds = np.array([np.nan if x is None else x for x in row["odds"]], dtype=float)
        return cls(energies[chosen], odds[chosen], np.array(row["found"]), np.array(row["right"])[chosen])

    def shares(self, trust: Trust) -> np.ndarray:
        """The probability of each, by what the program goes by."""
        odds = np.where(np.isnan(self.odds), trust.unknown, self.odds) - self.energy / trust.error
        return np.array(shared_out(odds.tolist(), self.found.tolist(), trust))


def row_of(name: str, key: str, target: Structure, folder: Path) -> dict:
    """What a run found of a target, for the fit."""
    warnings.simplefilter("ignore")
    distinct = [c for c in read_candidates(folder) if c.n_found is not None and c.energy_per_atom is not None]
    matcher = StructureMatcher(ltol=0.2, stol=0.3, angle_tol=5)
    return {
        "set": name, "target": key, "atoms": len(target), "elements": sorted(counts_of(target)),
        "energies": [list(c.energies.values()) for c in distinct],
        "odds": [c.prototype_log_odds for c in distinct],
        "found": [c.n_found for c in distinct], "by": [c.found_by for c in distinct],
        "right": [bool(matcher.fit(target, c.structure)) for c in distinct],
    }  # fmt: skip


def surprise(every: list[Found], trust: Trust) -> float:
    """Mean −log of the probability that is given to what is the case: one of these is the crystal, or none."""
    lost = []
    for one in every:
        p = one.shares(trust)
        lost.append(-np.log((p[one.right].sum() if one.right.any() else 1 - p.sum()) + 1e-9))
    return float(np.mean(lost))


def fitted(every: list[Found], start: Trust, free: tuple[str, ...]) -> Trust:
    """The constants of maximum likelihood, some of them free."""

    def made(x: np.ndarray) -> Trust:
        return Trust(**{**vars(start), **dict(zip(free, map(float, x), strict=True))})

    def loss(x: np.ndarray) -> float:
        own = made(x)
        return np.inf if own.error <= 1e-4 or own.weight <= 0.01 else surprise(every, own)

    best = minimize(loss, [vars(start)[name] for name in free], method="Nelder-Mead", options={"maxiter": 4000})
    return made(best.x)


def scale(data: Path, n: int) -> None:
    """Maximum likelihood of p ∝ exp(power · likeness) against exp(none), over n crystals."""
    crystals = dict(np.load(data / "mp20.npz"))
    chosen = np.random.default_rng(5).permutation(np.flatnonzero(crystals["split"] == "val"))[:n]
    wanted = np.isin(np.arange(len(crystals["split"])), chosen)
    matcher = StructureMatcher()
    seen = []
    for crystal in structures(data / "mp20.npz", lambda size, key: True, wanted).values():
        primitive = crystal.get_primitive_structure()
        counts = counts_of(primitive)
        likeness = np.array([prototype_of(counts, k).log_odds for k in range(count_prototypes(counts))])
        if len(likeness):
            atoms = [symbol for symbol, k in counts.items() for _ in range(k)]
            laid = analogues(empty_host(primitive.lattice.matrix.tolist(), counts))
            fits = [  # an analogue has its likeness for a species
                a.prototype_log_odds * len(counts)
                for a in laid
                if matcher.fit(primitive, Structure(primitive.lattice, atoms, a.frac_coords))
            ]
            seen.append((likeness, np.isin(likeness.round(3), np.round(fits, 3))))

    def loss(x: np.ndarray) -> float:
        lost = []
        for likeness, right in seen:
            z = np.append(x[0] * likeness, x[1])
            p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
            lost.append(-np.log(p[:-1][right].sum() if right.any() else p[-1]))
        return float(np.mean(lost))

    power, none = minimize(loss, np.array([0.5, 1.0]), method="Nelder-Mead").x
    share = np.mean([right.any() for _, right in seen])
    first, twelve = (np.mean([right[np.argsort(-x, kind="stable")[:n]].any() for x, right in seen]) for n in (1, 12))
    told = f"right prototypes for {100 * share:.1f} %, the likeliest right for {100 * first:.1f} %, "
    told += f"one of the first 12 for {100 * twelve:.1f} %"
    print(f"{len(seen)} crystals with prototypes of their content: {told}")
    print(f"p of a prototype goes as exp({power:.2f} likeness), that none of them is right as exp({none:.1f})")


ANIONS = (("oxide", "O"), ("halide", "F Cl Br I"), ("chalcogenide", "S Se Te"), ("pnictide", "N P As Sb"))


def chemistry(elements: list[str]) -> str:
    """The class of a compound, by the first of its anions."""
    return next((name for name, symbols in ANIONS if set(symbols.split()) & set(elements)), "intermetallic")


def errors(rows: list[dict], judged: bool) -> None:
    """How often, and how far, each potential puts another structure below the crystal, by chemistry."""
    print("\n| chemistry | with the crystal | potential | crystal not the lowest | by, meV/atom: median, largest |")
    print("|---|---|---|---|---|")
    classes = ["all", *(name for name, _ in ANIONS), "intermetallic"]
    for kind in classes:
        own = [r for r in rows if any(r["right"]) and kind in ("all", chemistry(r["elements"]))]
        for place, name in ((0, "CHGNet"), *([(-1, "the judge")] if judged else [])):
            heights = []
            for r in own:
                most = max(len(e) for e in r["energies"]) if place else 1
                known = [
                    (e[place], right) for e, right in zip(r["energies"], r["right"], strict=True) if len(e) >= most
                ]
                crystal = min((e for e, right in known if right), default=np.inf)
                heights.append(1000 * (crystal - min(e for e, _ in known)))
            off = [h for h in heights if h > 0]
            known = [h for h in off if np.isfinite(h)]  # where the crystal was not judged there is none
            told = f"{np.median(known):.0f}, {max(known):.0f}" if known else "–"
            print(f"| {kind} | {len(own)} | {name} | {len(off)} | {told} |")


def reliability(every: list[Found], trust: Trust, answers: bool) -> None:
    """How often what is stated comes true, by fifths of the probability; of answers alone, or of all structures."""
    stated, true = [], []
    for one in every:
        p = one.shares(trust)
        chosen = [int(p.argmax())] if answers else range(len(p))
        stated += [float(p[k]) for k in chosen]
        true += [bool(one.right[k]) for k in chosen]
    p, hit = np.array(stated), np.array(true)
    what = "answers" if answers else "structures"
    print(f"\n| {what} stated at | number | stated, % | true, % | off, points |\n|---|---|---|---|---|")
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        own = (p >= low) & ((p < low + 0.2) | (low == 0.8))
        if own.any():
            a, b = 100 * p[own].mean(), 100 * hit[own].mean()
            print(f"| {100 * low:.0f}–{100 * low + 20:.0f} % | {own.sum()} | {a:.1f} | {b:.1f} | {b - a:+.1f} |")


def main() -> None:
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path, nargs="?", default=Path("runs/csp"))
    parser.add_argument("--scale", type=int, metavar="N", help="crystals that show the scale of likeness")
    parser.add_argument("--sets", nargs="+", default=["val"], choices=SETS)
    parser.add_argument("--unjudged", action="store_true", help="by the energies of the potential of the run")
    args = parser.parse_args()
    if args.scale:
        scale(args.data, args.scale)
        return
    judged = not args.unjudged
    kept = KeptRows(args.runs / "told.jsonl")
    done = {(r["set"], r["target"]) for r in kept.rows}
    asked = [
        (name, key, target, args.runs / name / key)
        for name in args.sets
        for key, target in targets(name, args.data)
        if (args.runs / name / key).is_dir() and (name, key) not in done
    ]
    kept.compute(row_of, asked, 2)
    every = [Found.of(r, judged) for r in kept.rows if r["set"] in args.sets and r["energies"]]
    levels = trust_in("sevennet-l3i5" if judged else "pbe")
    print(f"{len(every)} targets, the crystal among the structures of {sum(bool(s.right.any()) for s in every)}\n")
    print("| constants | answer right, % | −log p | values |\n|---|---|---|---|")
    lines = {"the program's": levels}
    if args.sets == ["val"]:
        names = ("error", "weight", "missed", "once", "unknown")
        for free in (names[:k] for k in range(1, 6)):
            lines[f"fitted: {', '.join(free)}"] = fitted(every, levels, free)
    for name, trust in lines.items():
        right = np.mean([bool(s.right[np.argmax(s.shares(trust))]) for s in every])
        told = ", ".join(f"{k} {v:.4g}" for k, v in vars(trust).items())
        print(f"| {name} | {100 * right:.1f} | {surprise(every, trust):.3f} | {told} |")
    for answers in (True, False):
        reliability(every, levels, answers)
    errors([r for r in kept.rows if r["set"] in args.sets and r["energies"]], judged)


if __name__ == "__main__":
    main()
