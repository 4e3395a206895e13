"""One evaluation of CHGNet (energy, forces, stress): cost against atoms and batch size, memory, floor, profile.

    python benchmarks/evaluation.py [--figure docs/evaluation.png] [--repeats 5]

Crystals are rattled supercells of perovskite SrTiO3. Beside our arrangement of the network stands chgnet's own
calculator, both on one thread; a point is the fastest of the repeats, the two taken in turn, in a process of its own.
Memory is the largest resident set of that process less what it held before, MiB.

The floor counts the operations of an evaluation of 16 crystals of 20 atoms: matrix products at the rate of a large
product, every element-wise operation as one pass over its output at the rate of an addition or, for those that need
one, of an exponential, both within the cache. Gathering, scattering and the neighbour search are not in it.
Prints Markdown tables.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import multiprocessing
import time
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pymatgen.core import Structure
from speed import peak_memory, perovskite
from torch.utils._python_dispatch import TorchDispatchMode

from chggen.crystals import edges_within, from_structures
from chggen.execution import keep_memory
from chggen.potential import load_potential
from chggen.potential.bond_graph import bond_graph

SIZES = {10: (2, 1, 1), 20: (2, 2, 1), 40: (2, 2, 2), 80: (4, 2, 2), 160: (4, 4, 2), 320: (4, 4, 4), 500: (5, 5, 4)}
BATCHES = (1, 2, 4, 8, 16, 32, 64)
_HARD = ("exp", "silu", "silu_backward", "sigmoid", "sin", "cos", "acos", "pow", "log")
_PRODUCTS = ("mm", "addmm", "bmm", "baddbmm")
_MOVING = (
    "index_select", "index_add", "index_add_", "cat", "copy_", "_to_copy", "clone", "zeros", "zeros_like", "new_zeros",
    "fill_", "zero_", "empty_like", "ones_like", "full_like", "index", "index_put_", "slice_backward",
)  # fmt: skip


def crystal(n_atoms: int, seed: int = 0) -> Structure:
    found = perovskite(SIZES[n_atoms])
    step = np.random.default_rng(seed).normal(scale=0.05, size=(len(found), 3))
    return Structure(found.lattice, found.species, found.frac_coords + found.lattice.get_fractional_coords(step))


def fastest(works: list[Callable[[], Any]], repeats: int) -> list[float]:
    """Least wall seconds of each of the works, taken in turn after one warm-up."""
    best = [math.inf] * len(works)
    for turn in range(repeats + 1):
        for k, work in enumerate(works):
            began = time.perf_counter()
            work()
            best[k] = min(best[k], time.perf_counter() - began) if turn else math.inf
    return best


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


class Count(TorchDispatchMode):
    """Floating-point operations of matrix products, and elements of the passes, of everything run inside."""

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0
        self.elements: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func._schema.name.removeprefix("aten::")
        first = out[0] if isinstance(out, tuple | list) and out else out
        if name in _PRODUCTS:
            left = args[1] if name.startswith(("add", "bad")) else args[0]
            self.flops += 2 * first.numel() * left.shape[-1]
        elif isinstance(first, torch.Tensor) and first.is_floating_point() and not func.is_view:
            kind = "moved" if name in _MOVING else "hard" if name in _HARD else "plain"
            self.elements[kind] += first.numel()
        return out


def rates() -> tuple[float, float, float]:
    """Operations a second of a large matrix product; elements a second of an addition and of an exponential."""
    a = torch.randn(1024, 1024)
    product = 2 * 1024**3 / fastest([lambda: torch.mm(a, a)], 10)[0]
    x, out = torch.randn(16_384), torch.empty(16_384)

    def times(work: Callable[[], Any]) -> float:
        return 1000 * 16_384 / fastest([lambda: [work() for _ in range(1000)]], 5)[0]

    return product, times(lambda: torch.add(x, x, out=out)), times(lambda: torch.exp(x, out=out))


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
    product, plain, hard = rates()
    parts = {
        "matrix products": (f"{count.flops / 1e9:.2f} Gflop", f"{product / 1e9:.0f} Gflop/s", count.flops / product),
        "element-wise, plain": (
            f"{count.elements['plain'] / 1e6:.0f} M", f"{plain / 1e9:.2f} G/s", count.elements["plain"] / plain
        ),
        "element-wise, exponential and the like": (
            f"{count.elements['hard'] / 1e6:.0f} M", f"{hard / 1e9:.2f} G/s", count.elements["hard"] / hard
        ),
    }  # fmt: skip
    least = sum(seconds for *_, seconds in parts.values())
    lines = ["| floor of 16 crystals of 20 atoms | count | rate | ms |", "|---|---|---|---|"]
    lines += [f"| {what} | {n} | {rate} | {1000 * s:.1f} |" for what, (n, rate, s) in parts.items()]
    lines += [
        f"| the floor | | | {1000 * least:.1f} |",
        f"| measured ({whole / least:.2f} times the floor) | | | {1000 * whole:.1f} |",
        f"| of it the neighbour search and the graph | | | {1000 * searching:.1f} |",
    ]
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        for _ in range(5):
            potential(crystals)
    events = sorted(profile.key_averages(), key=lambda e: -e.self_cpu_time_total)
    total = sum(e.self_cpu_time_total for e in events)
    lines += ["", "| operation | share of the time, % | calls |", "|---|---|---|"]
    lines += [f"| {e.key} | {100 * e.self_cpu_time_total / total:.1f} | {e.count // 5} |" for e in events[:12]]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--figure", type=Path)
    args = parser.parse_args()
    context = multiprocessing.get_context("spawn")

    def apart(work: Callable[..., Any], *arguments: Any) -> Any:
        """In a fresh process, for the sake of its memory."""
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            return pool.submit(work, *arguments).result()

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
