"""The harder row: the empty host is relaxed by CHGNet first (cell and positions), then filled, then relaxed again.

    python benchmarks/relaxed_host.py DATA [--row li-small] [--hosts 60] [--samples 3]

Nothing of the true crystal but its composition and the relaxed empty host is known to the sampler. Hits compare with
the true crystal; `as low` counts samples whose energy is no more than 1 meV/atom above that of the true crystal,
relaxed by the same potential. Arms as in benchmarks/reinsertion.py. fmax 0.1 eV/Å, at most 300 steps. Prints a Markdown
table.
"""

from __future__ import annotations

import argparse
import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from arms import ROWS, begun_known, cases_of, model_of, placed, rate, sampled, spread
from hosts import Case, verdict

from chggen.relaxation import Relaxed, relax
from chggen.sampling import recipe

ARMS = ("known", "single", "choice", "random")
_HOSTS_PER_TASK = 6
_AS_LOW = 0.001  # eV/atom


@dataclass(frozen=True)
class Filled(Case):
    """A case whose framework is the relaxed empty host."""

    relaxed_framework: object = None

    @property
    def framework(self):  # type: ignore[no-untyped-def]
        return self.relaxed_framework


def fill(
    row: str,
    data: Path,
    most: int,
    n: int,
    uncertainty: float,
    model: Path | None,
    arms: Sequence[str],
    numbers: list[int],
) -> dict[str, list[np.ndarray]]:
    """Per arm: (hosts, samples) arrays of hits, of matches, and of energies above the true crystal's, eV/atom."""
    torch.set_num_threads(1)
    relaxed = functools.partial(relax, potential="chgnet", fmax=0.1, max_steps=300, optimizer="lbfgs")
    found = [cases_of(row, data, most)[h] for h in numbers]
    emptied = relaxed([case.framework for case in found])
    truth = relaxed([case.crystal for case in found])
    filled = [
        Filled(id=c.id, crystal=c.crystal, guests=c.guests, relaxed_framework=e.structure)
        for c, e in zip(found, emptied, strict=True)
    ]
    result = {}
    for name in arms:
        if name == "random":
            raw = placed(filled, numbers, n)
        else:
            how = recipe("clamp", uncertainty=uncertainty, best_of=None if name == "choice" else 1)
            if name == "known":
                raw = begun_known(filled, numbers, n, model_of(model), how, "best")
            else:
                raw = sampled(filled, numbers, n, model_of(model), how)
        done = relaxed([s for made in raw for s in made])
        rows = [done[k : k + n] for k in range(0, len(done), n)]
        verdicts = np.array([[verdict(c, r.structure) for r in made] for c, made in zip(found, rows, strict=True)])
        above = [[_above(r, t) for r in made] for t, made in zip(truth, rows, strict=True)]
        result[name] = [verdicts[..., 1], verdicts[..., 0], np.array(above)]
    return result


def _above(sample: Relaxed, truth: Relaxed) -> float:
    if sample.energy_per_atom is None or truth.energy_per_atom is None:
        return np.inf
    return sample.energy_per_atom - truth.energy_per_atom


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--row", choices=ROWS[:-1], default="li-small")
    parser.add_argument("--hosts", type=int, default=60)
    parser.add_argument("--samples", type=int, default=3)
    parser.add_argument("--uncertainty", type=float, default=0.0, help="error of the host the network is told, Å")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--model", type=Path)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    args = parser.parse_args()

    total = len(cases_of(args.row, args.data, args.hosts))
    work = functools.partial(
        fill, args.row, args.data, args.hosts, args.samples, args.uncertainty, args.model, args.arms
    )
    parts = spread(work, total, _HOSTS_PER_TASK, args.workers)
    print("| row | hosts | arm | hits 1 / n, % | match 1 / n, % | as low 1 / n, % | hit or as low 1 / n, % |")
    print("|---|---|---|---|---|---|---|")
    for arm in parts[0]:
        hit, match, above = (np.concatenate([part[arm][k] for part in parts]) for k in range(3))
        low = above <= _AS_LOW
        cells = [rate(each, arm == "known") for each in (hit, match, low, hit | low)]
        print(f"| {args.row} | {total} | {arm} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
