"""What a candidate costs against the number of atoms: MgO with a sphere of 4 Å taken out and put back.

    python benchmarks/region_cost.py --out FOLDER [--most 1000] [--table]

Supercells of 96 to 1,000 atoms, each moved by 0.1 Å. For each, in a process of its own and on one thread: one
evaluation of the score network, sampling one candidate, one step of a relaxation by CHGNet, and one whole candidate,
sampled and relaxed (`chggen.inpaint(supercell, remove="sphere 0.5 0.5 0.5 4", n=1, fix_cell=True)`). Exponents are the
power of the number of atoms, by least squares of the logarithms; models are loaded before. Rows go to FOLDER/rows.jsonl
as they end; a run that was stopped goes on. Prints the table from the rows.
"""

from __future__ import annotations

import argparse
import resource
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from grain_cases import crystal_of
from kept_rows import KeptRows
from pymatgen.core import Structure

SUPERCELLS = ((2, 2, 3), (3, 3, 3), (4, 4, 3), (3, 5, 6), (5, 5, 5))  # of cells of 8 atoms
REGION = "sphere 0.5 0.5 0.5 4"
MOVED = 0.1  # Å
STEPS = 6  # of a relaxation, the first of which is left out
MEASURED = ("evaluation", "sampling", "step", "whole")


def row_of(axes: tuple[int, int, int]) -> dict[str, Any]:
    """What a supercell costs."""
    import chggen

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    (relaxed,) = chggen.relax([crystal_of("MgO")], fmax=0.01)  # loads CHGNet
    crystal = relaxed.structure
    hole: dict[str, Any] = {"remove": REGION, "n": 1, "seed": 0, "workers": 1, "references": None}
    chggen.inpaint(crystal, remove="sphere 0.5 0.5 0.5 1", relax=False, n=1, workers=1, references=None)  # the network
    moved = _moved(crystal, axes)
    row: dict[str, Any] = {"supercell": list(axes), "atoms": len(moved)}
    row["evaluation"] = _evaluation(moved)
    row["sampling"], _ = _timed(lambda: chggen.inpaint(moved, relax=False, **hole))
    steps = [_timed(lambda n=n: chggen.relax([moved], fix_cell=True, fmax=1e-4, max_steps=n)) for n in (1, STEPS)]
    row["step"] = [(b - a) / (STEPS - 1) for a, b in zip(steps[0][0], steps[1][0], strict=True)]
    row["whole"], made = _timed(lambda: chggen.inpaint(moved, fix_cell=True, **hole))
    row["status"], row["steps"] = made[0].status, made[0].relax_steps
    row["gigabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return row


def _moved(crystal: Structure, axes: tuple[int, int, int]) -> Structure:
    """A supercell whose atoms are moved by 0.1 Å, root mean square, so that relaxations have something to do."""
    made = crystal.copy()
    made.make_supercell(axes)
    step = np.random.default_rng(0).standard_normal((len(made), 3)) * MOVED / np.sqrt(3)
    return Structure(made.lattice, made.species, made.cart_coords + step, coords_are_cartesian=True)


def _evaluation(structure: Structure) -> list[float]:
    """CPU and wall seconds of one evaluation of the score network, a tenth of the atoms being guests."""
    from chggen.crystals import from_structures
    from chggen.diffusion import Noise
    from chggen.score import load_score_model

    score, crystals = load_score_model(), from_structures([structure]).to("cpu", torch.float32)
    sigma = torch.full_like(crystals.frac_coords[:, 0], 0.5)
    sigma[len(sigma) // 10 :] = 0
    noise = Noise(sigma=sigma, tau=torch.zeros(1))
    with torch.no_grad():
        score(crystals, noise)
        spent, _ = _timed(lambda: [score(crystals, noise) for _ in range(5)])
    return [s / 5 for s in spent]


def _timed(work: Callable[[], Any]) -> tuple[list[float], Any]:
    """CPU and wall seconds, and what came out."""
    cpu, wall = time.process_time(), time.perf_counter()
    made = work()
    return [time.process_time() - cpu, time.perf_counter() - wall], made


def print_table(rows: list[dict[str, Any]]) -> None:
    rows = sorted(rows, key=lambda row: row["atoms"])
    print("| atoms | network evaluation, s | sampling, s | relaxation step, s | whole candidate, s | its steps | GB |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        each = " | ".join(f"{row[key][0]:.2f} ({row[key][1]:.2f})" for key in MEASURED)
        print(f"| {row['atoms']} | {each} | {row['steps']} | {row['gigabytes']:.1f} |")
    if len(rows) > 1:
        atoms = np.log([row["atoms"] for row in rows])
        powers = [np.polyfit(atoms, np.log([row[key][0] for row in rows]), 1)[0] for key in MEASURED]
        print(f"| exponent | {' | '.join(f'{power:.2f}' for power in powers)} | | |")
    print("CPU seconds, and wall seconds in brackets")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--most", type=int, default=1000, help="atoms of the largest supercell")
    parser.add_argument("--table", action="store_true", help="print the table of the rows alone")
    args = parser.parse_args()
    kept = KeptRows(args.out / "rows.jsonl")
    if not args.table:
        done = {tuple(row["supercell"]) for row in kept.rows}
        wanted = [axes for axes in SUPERCELLS if 8 * int(np.prod(axes)) <= args.most and axes not in done]
        kept.compute(row_of, [(axes,) for axes in wanted], workers=1, tasks=1)
    print_table(kept.rows)


if __name__ == "__main__":
    main()
