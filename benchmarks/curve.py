"""Quality against evaluations of the score network, for each predictor, corrector and walk; no potential.

    python benchmarks/curve.py DATA [--rows li-small any-species] [--hosts 100] [--evaluations 10 20 50 100 200]

One raw sample a host, clean host, geometric ladder from 3 Å; random placement, which costs none, beside. Prints a
Markdown table of hits in %.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from arms import ROWS, rate, run_arm

from chggen.diffusion import Schedule
from chggen.sampling import (
    ONE,
    Ancestral,
    BestOf,
    Heun,
    Langevin,
    Multistep,
    ProbabilityFlow,
    Recipe,
    Refresh,
    Renoise,
    Walk,
    recipe,
)


def _walked(n: int, **rest: Any) -> tuple[int, dict[str, Any]]:
    return n, {**rest, "walk": Walk(n_resample=n)}


# Evaluations a level, and the rest of the recipe.
WAYS: dict[str, tuple[int, dict[str, Any]]] = {
    "refresh": (1, {"predictor": Refresh()}),
    "refresh, best of 2 tries": (1, {"predictor": Refresh(), "choice": BestOf(n=2)}),
    "refresh, best of 4 tries": (1, {"predictor": Refresh(), "choice": BestOf(n=4)}),
    "refresh, best of 8 tries": (1, {"predictor": Refresh(), "choice": BestOf(n=8)}),
    "refresh, levels walked 5 times": _walked(5, predictor=Refresh()),
    "ancestral": (1, {"predictor": Ancestral()}),
    **{f"ancestral, levels walked {n} times": _walked(n, predictor=Ancestral()) for n in (3, 5, 8)},
    "re-noised host, ancestral": (1, {"predictor": Ancestral(), "anchor": Renoise()}),
    **{
        f"re-noised host, ancestral, walked {n} times": _walked(n, predictor=Ancestral(), anchor=Renoise())
        for n in (3, 8)
    },
    "ancestral + 1 corrector step": (2, {"predictor": Ancestral(), "corrector": Langevin(n_steps=1)}),
    "probability flow, Euler": (1, {"predictor": ProbabilityFlow()}),
    "probability flow, Heun": (2, {"predictor": Heun()}),
    "Heun, churn 0.2": (2, {"predictor": Heun(churn=0.2)}),
    "DPM-Solver++(2M)": (1, {"predictor": Multistep()}),
    "DPM-Solver++(2M) + 1 corrector step": (2, {"predictor": Multistep(), "corrector": Langevin(n_steps=1)}),
    "re-noised host, refresh, walked 5 times": _walked(5, predictor=Refresh(), anchor=Renoise()),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=["li-small", "any-species"])
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--evaluations", type=int, nargs="+", default=[10, 20, 50, 100, 200])
    parser.add_argument("--ways", nargs="+", choices=tuple(WAYS), default=list(WAYS))
    parser.add_argument("--model", type=Path)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    args = parser.parse_args()

    print("| row | way | " + " | ".join(map(str, args.evaluations)) + " |")
    print("|---" * (len(args.evaluations) + 2) + "|", flush=True)
    for row in args.rows:
        for name in args.ways:
            cost, way = WAYS[name]
            cells = []
            for evaluations in args.evaluations:
                choice = way.get("choice", ONE)
                levels = round((evaluations / choice.n - choice.evaluations) / cost)
                if levels < 2:
                    cells.append("")
                    continue
                how = Recipe(schedule=Schedule(n_levels=levels, largest=3.0), **way)
                arm = run_arm(
                    "model",
                    row,
                    args.data,
                    hosts=args.hosts,
                    samples=1,
                    how=how,
                    model=args.model,
                    workers=args.workers,
                )
                cells.append(rate(arm.hits(False, row == "all-atoms")))
            print(f"| {row} | {name} | " + " | ".join(cells) + " |", flush=True)
        beside = run_arm(
            "random", row, args.data, hosts=args.hosts, samples=1, how=recipe("clamp"), workers=args.workers
        )
        hit = rate(beside.hits(False, row == "all-atoms"))
        print(f"| {row} | random placement | " + " | ".join([hit] * len(args.evaluations)) + " |", flush=True)


if __name__ == "__main__":
    main()
