"""How far to trust energies and prototypes: fits what `chggen.results.answers` goes by, on crystals of `val`.

    python benchmarks/csp.py DATA --sets val --arms chggen --out RUNS
    python benchmarks/answers.py DATA RUNS [--set val]
    python benchmarks/answers.py DATA --scale 300

Of each target's distinct structures one is the crystal, by StructureMatcher(0.2, 0.3, 5). Log-odds of a structure: the
likeness of the prototype that led to it (none: a constant), less its energy over an error, plus a weight times the
logarithm of how often it was found. Prints the shares of targets whose lowest structure is the crystal and whose
likeliest is, by the constants of the program and by those of maximum likelihood here. For tests, `--set cspbench`.
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
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure
from scipy.optimize import minimize

from chggen.generation import analogues, count_prototypes, empty_host, prototype_of
from chggen.results import candidate as ours
from chggen.results import read_candidates


@dataclass(frozen=True)
class Structures:
    """The distinct structures of a target: energies above the lowest (eV/atom), likeness (NaN: none), times found."""

    energy: np.ndarray
    likeness: np.ndarray
    found: np.ndarray
    right: np.ndarray

    def log_odds(self, error: float, unknown: float, weight: float) -> np.ndarray:
        known = np.where(np.isnan(self.prototype_log_odds), unknown, self.prototype_log_odds)
        return known - self.energy / error + weight * np.log(self.found)


def structures_of(target, folder: Path) -> Structures | None:
    distinct = [c for c in read_candidates(folder) if c.n_found is not None]
    if not distinct:
        return None
    matcher = StructureMatcher(ltol=0.2, stol=0.3, angle_tol=5)
    energy = np.array([c.energy_per_atom for c in distinct])
    return Structures(
        energy=energy - energy.min(),
        prototype_log_odds=np.array(
            [np.nan if c.prototype_log_odds is None else c.prototype_log_odds for c in distinct]
        ),
        found=np.array([c.n_found for c in distinct]),
        right=np.array([bool(matcher.fit(target, c.structure)) for c in distinct]),
    )


def surprise(every: list[Structures], constants: np.ndarray) -> float:
    """Mean −log of the probability that is given to the crystal, over the targets that have it among theirs."""
    lost = []
    for one in every:
        z = one.log_odds(abs(constants[0]) + 1e-4, *constants[1:])
        p = np.exp(z - z.max())
        lost.append(-np.log(p[one.right].sum() / p.sum() + 1e-9))
    return float(np.mean(lost))


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


def main() -> None:
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path, nargs="?", default=Path("runs/csp"))
    parser.add_argument("--scale", type=int, metavar="N", help="crystals that show the scale of likeness")
    parser.add_argument("--set", default="val", choices=SETS)
    args = parser.parse_args()
    if args.scale:
        scale(args.data, args.scale)
        return
    made = [(t, args.runs / args.set / key) for key, t in targets(args.set, args.data)]
    every = [s for target, folder in made if folder.exists() and (s := structures_of(target, folder)) is not None]
    having = [s for s in every if s.right.any()]
    print(f"{len(every)} targets, the crystal among the structures of {len(having)}\n")
    print("| error, meV/atom | no prototype | weight of finds | likeliest right, % | −log p |\n|---|---|---|---|---|")

    def line(name: str, constants) -> None:
        best = np.mean([s.right[np.argmax(s.log_odds(*constants))] for s in every])
        error, unknown, weight = constants
        cells = f"{1000 * error:.1f} | {unknown:.1f} | {weight:.2f} | {100 * best:.1f}"
        print(f"| {name}{cells} | {surprise(having, np.array(constants)):.3f} |")

    line("lowest: ", (1e-6, 0.0, 0.0))
    line("the program's: ", (ours.ENERGY_ERROR, ours._UNKNOWN, 0.0))
    for error in (0.005, 0.01, 0.02, 0.04):
        line("", (error, ours._UNKNOWN, 0.0))
    start = np.array([ours.ENERGY_ERROR, ours._UNKNOWN, 0.0])
    for name, free in (("error fitted: ", [0]), ("with none: ", [0, 1]), ("with finds: ", [0, 1, 2])):

        def loss(x: np.ndarray, free: list[int] = free) -> float:
            constants = start.copy()
            constants[free] = x
            return surprise(having, constants)

        fitted = start.copy()
        fitted[free] = minimize(loss, start[free], method="Nelder-Mead").x
        line(name, (abs(fitted[0]), *fitted[1:]))


if __name__ == "__main__":
    main()
