"""One evaluation of CHGNet (energy, forces, stress): cost against atoms and batch size, memory, floor, profile.

    python benchmarks/evaluation.py [--figure docs/evaluation.png] [--repeats 5]

Crystals are rattled supercells of perovskite SrTiO3. Beside our arrangement of the network stands chgnet's own
calculator, both on one thread; a point is the fastest of the repeats, the two taken in turn, in a process of its own.
Memory is the largest resident set of that process less what it held before, MiB.

The floor, see `floors`, is that of an evaluation of 16 crystals of 20 atoms.
Prints Markdown tables.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from floors import Count, Rates, apart, fastest, floor_lines, peak_memory, perovskite, profile_lines
from pymatgen.core import Structure

from chggen.crystals import edges_within, from_structures
from chggen.execution import keep_memory
from chggen.potential import load_potential
from chggen.potential.bond_graph import bond_graph

SIZES = {10: (2, 1, 1), 20: (2, 2, 1), 40: (2, 2, 2), 80: (4, 2, 2), 160: (4, 4, 2), 320: (4, 4, 4), 500: (5, 5, 4)}
BATCHES = (1, 2, 4, 8, 16, 32, 64)


def crystal(n_atoms: int, seed: int = 0) -> Structure:
    found = perovskite(SIZES[n_atoms])
    step = np.random.default_rng(seed).normal(scale=0.05, size=(len(found), 3))
    return Structure(found.lattice, found.species, found.frac_coords + found.lattice.get_fractional_coords(step))


def point(n_atoms: int, size: int, repeats: int, theirs: bool) -> tuple[float, float, float]:
    """Seconds of ours for the batch and of chgnet's for one crystal (nan unless asked for); memory of ours, MiB."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    keep_memory()
    structures = [crystal(n_atoms, k) for k in range(size)]
    crystals = from_structures(structures)
    potential = load_potential("chgnet")
    potential(from_structures([crystal(10)]))
    before = peak_memory()
    potential(crystals)
    memory = peak_memory() - before
    works = [lambda: potential(crystals)]
    if theirs:
        from chgnet.model.dynamics import CHGNetCalculator
        from pymatgen.io.ase import AseAtomsAdaptor

        with contextlib.redirect_stdout(io.StringIO()):
            calculator = CHGNetCalculator(use_device="cpu", verbose=False)
        atoms = AseAtomsAdaptor.get_atoms(structures[0], msonable=False)
        works.append(lambda: calculator.calculate(atoms))
    best = [*fastest(works, repeats), math.nan]
    return best[0], best[1], memory


def floor() -> list[str]:
    """Lines of the floor and of where the time goes."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    keep_memory()
    potential: Any = load_potential("chgnet")
    crystals = from_structures([crystal(20, k) for k in range(16)])
    network = potential.network

    def search() -> Any:
        return bond_graph(crystals, edges_within(crystals, network.atom_cutoff), network.angle_cutoff)

    whole, searching = fastest([lambda: potential(crystals), search], 10)
    with Count() as count:
        potential(crystals)
    lines = floor_lines("16 crystals of 20 atoms", count, Rates.measured(), whole)
    lines.append(f"| of it the neighbour search and the graph | | | {1000 * searching:.1f} |")
    return [*lines, "", *profile_lines(lambda: potential(crystals))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--figure", type=Path)
    args = parser.parse_args()
    print("| atoms | ms | ms / atom | chgnet's calculator, ms | ratio | memory, MiB |\n|---|---|---|---|---|---|")
    by_size = {}
    for n in SIZES:
        ours, theirs, memory = by_size[n] = apart(point, n, 1, args.repeats, True)
        cells = [f"{1000 * ours:.1f}", f"{1000 * ours / n:.2f}", f"{1000 * theirs:.1f}", f"{theirs / ours:.1f}"]
        print(f"| {n} | " + " | ".join(cells) + f" | {memory:.0f} |", flush=True)
    print("\n| crystals of 20 atoms in a batch | ms / crystal | memory, MiB |\n|---|---|---|")
    by_batch = {}
    for size in BATCHES:
        ours, _, memory = by_batch[size] = apart(point, 20, size, args.repeats, False)
        print(f"| {size} | {1000 * ours / size:.1f} | {memory:.0f} |", flush=True)
    print("\n" + "\n".join(apart(floor)))
    if args.figure:
        draw(by_size, by_batch, args.figure)


def draw(by_size: dict[int, tuple[float, ...]], by_batch: dict[int, tuple[float, ...]], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), constrained_layout=True)
    for k, label in enumerate(("chggen", "chgnet's calculator")):
        left.loglog(list(by_size), [1000 * v[k] for v in by_size.values()], "o-", label=label)
    left.set_xlabel("atoms")
    left.set_ylabel("ms an evaluation")
    left.legend(frameon=False)
    right.semilogx(list(by_batch), [1000 * v[0] / n for n, v in by_batch.items()], "o-")
    right.set_xlabel("crystals of 20 atoms in a batch")
    right.set_ylabel("ms a crystal")
    right.set_ylim(bottom=0)
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
