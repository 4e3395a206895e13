"""Where samples go wrong, and what is hard to learn: hits and misses by element, guest count and kind of error.

    python benchmarks/diagnose.py DATA [--rows h-small any-species] [--hosts 300] [--samples 1]

A miss is an `overlap` when two atoms are closer than 0.7 Å (0.5 Å with hydrogen), `near` when its guests are within 1 Å
of their true sites, else another `site`. Prints Markdown tables: raw rates by guest element and by number of guests.
"""

from __future__ import annotations

import argparse
import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from arms import ROWS, run_arm
from hosts import Case, guests_near
from pymatgen.core import Structure

from chggen.sampling import recipe


def outcome(case: Case, sample: Structure, hit: bool) -> str:
    """hit, overlap, near or site."""
    if hit:
        return "hit"
    distance = sample.distance_matrix + np.diag(np.full(len(sample), 9.0))
    hydrogen = np.array([site.specie.Z == 1 for site in sample])
    limit = np.where(hydrogen[:, None] | hydrogen[None, :], 0.5, 0.7)
    if (distance < limit).any():
        return "overlap"
    return "near" if guests_near(case, sample, 1.0) else "site"


def table(title: str, outcomes: Iterable[tuple[str, str]], least: int) -> str:
    """Shares of the outcomes by key, for keys seen at least `least` times."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for key, what in outcomes:
        counts[key][what] += 1
    lines = [f"| {title} | samples | hit, % | overlap, % | near, % | other site, % |", "|---" * 6 + "|"]
    for key in sorted(counts, key=lambda k: -sum(counts[k].values())):
        n = sum(counts[key].values())
        if n >= least:
            shares = [f"{100 * counts[key][what] / n:.0f}" for what in ("hit", "overlap", "near", "site")]
            lines.append(f"| {key} | {n} | " + " | ".join(shares) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", nargs="+", choices=ROWS[:-1], default=["h-small", "any-species"])
    parser.add_argument("--hosts", type=int, default=300)
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--least", type=int, default=4, help="samples of a line of the tables")
    parser.add_argument("--quality", default="best")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    args = parser.parse_args()
    for row in args.rows:
        arm = run_arm(
            "model",
            row,
            args.data,
            hosts=args.hosts,
            samples=args.samples,
            how=recipe("clamp", quality=args.quality, best_of=1),
            model=args.model,
            workers=args.workers,
        )
        hit = arm.hits(False, False)
        found = [
            (case, outcome(case, sample, bool(h)))
            for case, made, hits in zip(arm.found, arm.raw, hit, strict=True)
            for sample, h in zip(made, hits, strict=True)
        ]
        print(f"{row}\n")
        print(table("guest", [("+".join(sorted(case.counts)), what) for case, what in found], args.least) + "\n")
        print(table("guests", [(str(sum(case.counts.values())), what) for case, what in found], args.least) + "\n")


if __name__ == "__main__":
    main()
