"""Re-insertion: take guests out of known crystals, put them back, count hits; random placement beside.

    python benchmarks/reinsertion.py DATA [--rows li-small ...] [--hosts 300] [--samples 3] [--raw] [--arms random]

DATA is the folder of the development data (Materials Project, CC BY 4.0); hosts are those of benchmarks/ids/, none of
which the model was trained on. A hit and random placement are defined in benchmarks/hosts.py. Raw: no call of a
potential. Relaxed: CHGNet, fixed cell, fmax 0.1 eV/Å, at most 150 steps. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from hosts import Case, cases, is_hit, random_placement
from pymatgen.core import Structure

from chggen.crystals import to_structures
from chggen.host import Host, batched_hosts
from chggen.relaxation import relax
from chggen.sampling.recipes import Recipe, recipe
from chggen.score.checkpoint import load_score_model

ROWS = ("li-small", "h-small", "mobile-large", "any-species", "half", "all-atoms")
_ATOMS_PER_BATCH = 320


@dataclass
class Arm:
    """Samples of one method: [host][sample], and what they cost."""

    name: str
    raw: list[list[Structure]]
    seconds: float
    relaxed: list[list[Structure]] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    moved: list[float] = field(default_factory=list)
    drop: list[float] = field(default_factory=list)
    relax_seconds: float = 0.0


def sampled(found: list[Case], n: int, model: torch.nn.Module, how: Recipe) -> Arm:
    """n samples a host; a sample's seed depends on its host's place in the list and its number alone."""
    work = sorted(((len(case.crystal), h, k) for h, case in enumerate(found) for k in range(n)))
    raw: list[list[Structure]] = [[None] * n for _ in found]  # type: ignore[list-item]
    began = time.process_time()
    while work:
        size = max(1, _ATOMS_PER_BATCH // work[-1][0])
        part, work = work[-size:], work[:-size]
        hosts = [Host(framework=found[h].framework, guests=found[h].counts) for _, h, _ in part]
        made = to_structures(how.run(model, batched_hosts(hosts), [1000 * h + k for _, h, k in part]))
        for (_, h, k), structure in zip(part, made, strict=True):
            raw[h][k] = structure
    return Arm("model", raw, time.process_time() - began)


def placed(found: list[Case], n: int) -> Arm:
    began = time.process_time()
    raw = [[random_placement(case, np.random.default_rng([h, k])) for k in range(n)] for h, case in enumerate(found)]
    return Arm("random", raw, time.process_time() - began)


def relax_arm(arm: Arm) -> None:
    flat = [s for row in arm.raw for s in row]
    began = time.process_time()
    done = relax(flat, potential="chgnet", fix_cell=True, fmax=0.1, max_steps=150)
    arm.relax_seconds = time.process_time() - began
    n = len(arm.raw[0])
    arm.relaxed = [[r.structure for r in done[k : k + n]] for k in range(0, len(done), n)]
    arm.steps = [r.n_steps for r in done]
    arm.moved = [r.rmsd for r in done if r.rmsd is not None]
    arm.drop = [
        r.initial_energy_per_atom - r.energy_per_atom
        for r in done
        if r.energy_per_atom is not None and r.initial_energy_per_atom is not None
    ]


def hits(found: list[Case], made: list[list[Structure]], match_only: bool) -> np.ndarray:
    """(hosts, samples) of True for a hit."""
    return np.array([[is_hit(c, s, match_only) for s in row] for c, row in zip(found, made, strict=True)])


def rate(hit: np.ndarray, n: int) -> str:
    """Share of hosts hit with one sample (mean over the samples) and with the first n, %."""
    return f"{100 * hit.mean():.1f} / {100 * hit[:, :n].any(axis=1).mean():.1f}"


def report(row: str, found: list[Case], arm: Arm, match_only: bool) -> str:
    n = len(arm.raw[0])
    cells = [row, str(len(found)), arm.name, rate(hits(found, arm.raw, match_only), n)]
    if arm.relaxed:
        hit = hits(found, arm.relaxed, match_only)
        match = hits(found, arm.relaxed, True)
        seconds = arm.seconds + arm.relax_seconds
        cells += [rate(hit, n), rate(match, n), f"{np.median(arm.steps):.0f}", f"{np.median(arm.moved):.3f}"]
        cells += [f"{np.median(arm.drop):.3f}", f"{hit.sum() / seconds:.3f}"]
    cells.append(f"{arm.seconds / len(found) / n:.2f}")
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--hosts", type=int, default=300)
    parser.add_argument("--samples", type=int, default=3)
    parser.add_argument("--raw", action="store_true", help="no relaxation")
    parser.add_argument("--arms", nargs="+", choices=("model", "random"), default=["model", "random"])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--sampler", default="clamp")
    parser.add_argument("--levels", type=int)
    parser.add_argument("--resample", type=int)
    parser.add_argument("--save", type=Path, help="append the hits as JSON lines")
    args = parser.parse_args()

    torch.set_num_threads(1)
    model = load_score_model(args.model)
    head = ["row", "hosts", "arm", "raw hits 1 / n, %"]
    if not args.raw:
        head += [
            "relaxed hits 1 / n, %",
            "relaxed match 1 / n, %",
            "steps",
            "moved, Å",
            "drop, eV/atom",
            "hits / CPU-s",
        ]
    head.append("s / sample")
    print("| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|", flush=True)
    for row in args.rows:
        found = cases(row, args.data, args.hosts)
        all_atoms = row == "all-atoms"
        how = recipe("de-novo" if all_atoms else args.sampler, levels=args.levels, n_resample=args.resample)
        for name in args.arms:
            arm = sampled(found, args.samples, model, how) if name == "model" else placed(found, args.samples)
            if not args.raw:
                relax_arm(arm)
            print(report(row, found, arm, all_atoms), flush=True)
            if args.save:
                record = {"row": row, "arm": arm.name, "raw": hits(found, arm.raw, all_atoms).tolist()}
                with args.save.open("a") as handle:
                    handle.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
