"""Re-insertion: take guests out of known crystals, put them back, count hits; random placement beside.

    python benchmarks/reinsertion.py DATA [--quick] [--rows li-small ...] [--hosts 300] [--samples 3] [--raw]

DATA is the folder of the development data (Materials Project, CC BY 4.0); hosts are those of benchmarks/ids/, none of
which the model was trained on. A hit and random placement are defined in benchmarks/hosts.py. Arms: `known`, one
trajectory a sample, from known prototypes of the host (16 evaluations) and from anywhere in turn; `single`, one from
anywhere; `choice`, several from anywhere, of which the score network itself keeps one; `energy`, the same with CHGNet's
energy of each as sampled in its place; `program`, what `chggen inpaint` does by default: known prototypes, orbits of
the host's group (16 tries) and anywhere in turn, chosen by energy, the first of several samples being what a run of one
would choose of the first two, and the last what it chooses of that and the next; `random` placement. `program` may
spend twice the evaluations of the network on a sample where two are compared, all others the same. Raw: no relaxation.
Relaxed: CHGNet, fixed cell, fmax 0.1 eV/Å, at most 150 steps. Missed: hosts that no relaxed sample hits; lower: those
of them where a sample lies below the crystal itself, relaxed alike, by more than 1 meV/atom. Prints a Markdown table.
--quick: 20 hosts a row, one sample each, without `choice` and `energy`; at most 10 minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import numpy as np
from arms import ROWS, UNKNOWN, Arm, rate, run_arm

from chggen.sampling import recipe

ARMS = ("known", "program", "single", "choice", "energy", "random")
QUICK_ARMS = ("known", "program", "single", "random")
ONE_TRAJECTORY = ("known", "single")
HEAD = ["row", "hosts", "arm", "raw hits 1 / n, %"]
HEAD_RELAXED = [
    "relaxed hits 1 / n, %",
    "relaxed match 1 / n, %",
    "steps",
    "guests moved, Å",
    "drop, eV/atom",
    "missed, of them lower",
    "hits / CPU-s",
]


def report(row: str, arm: Arm) -> str:
    """One line of the table; medians over all samples."""
    match_only = row == "all-atoms"
    first = arm.name in ("known", "program")  # whose samples are not alike: one sample is the first of a run
    cells = [row, str(len(arm.found)), arm.name, rate(arm.hits(False, match_only), first)]
    if arm.relaxed:
        hit = arm.hits(True, match_only)
        steps = [r.n_steps for done in arm.relaxed for r in done]
        cells += [
            rate(hit, first),
            rate(arm.hits(True, True), first),
            f"{np.median(steps):.0f}",
            f"{np.median(arm.guest_moves()):.3f}",
        ]
        cells += [f"{np.median(arm.drops()):.3f}", f"{len(arm.lower)}, {sum(arm.lower)}"]
        cells += [f"{hit.sum() / (arm.seconds + arm.relax_seconds):.3f}"]
    cells.append(f"{arm.seconds / len(arm.found) / len(arm.raw[0]):.2f}")
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--quick", action="store_true", help="20 hosts a row, one sample each")
    parser.add_argument("--rows", nargs="+", choices=(*ROWS, *UNKNOWN), default=list(ROWS))
    parser.add_argument("--hosts", type=int, default=300)
    parser.add_argument("--samples", type=int, default=3)
    parser.add_argument("--raw", action="store_true", help="no relaxation")
    parser.add_argument("--arms", nargs="+", choices=ARMS, help="all by default")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--sampler", default="clamp")
    parser.add_argument("--quality", default="best", help="best: 160 evaluations; fast: 50")
    parser.add_argument("--levels", type=int, help="of a try")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--save", type=Path, help="append the hits as JSON lines")
    args = parser.parse_args()

    head = [*HEAD, *([] if args.raw else HEAD_RELAXED), "s / sample"]
    print("| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|", flush=True)
    for row in args.rows:
        sampler = "de-novo" if row == "all-atoms" else args.sampler
        for name in args.arms or (QUICK_ARMS if args.quick else ARMS):
            arm = run_arm(
                name if name in ("known", "program", "energy", "random") else "model",
                row,
                args.data,
                hosts=20 if args.quick else args.hosts,
                samples=1 if args.quick else args.samples,
                how=recipe(
                    sampler, quality=args.quality, levels=args.levels, best_of=1 if name in ONE_TRAJECTORY else None
                ),
                quality=args.quality,
                levels=args.levels,
                model=args.model,
                relaxed=not args.raw,
                workers=args.workers,
            )
            arm.name = name
            print(report(row, arm), flush=True)
            if args.save:
                record = {"row": row, "arm": name, "raw": arm.hits(False, row == "all-atoms").tolist()}
                with args.save.open("a") as handle:
                    handle.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
