"""What measurements of speed share: a crystal, clocks, memory, the floor of an evaluation, and where its time goes.

The floor is what the arithmetic of an evaluation has to cost on this machine: matrix products at the rate of a large
product, every element-wise operation as one pass over its output at the rate of an addition or, for those that need
one, of an exponential, both within the cache. What only moves numbers is counted, and is not in the floor.
"""

from __future__ import annotations

import math
import multiprocessing
import resource
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch
from pymatgen.core import Lattice, Structure
from torch.utils._python_dispatch import TorchDispatchMode

_HARD = ("exp", "silu", "silu_backward", "sigmoid", "sin", "cos", "acos", "pow", "log", "sqrt")
_PRODUCTS = ("mm", "addmm", "bmm", "baddbmm")
_GATHERED = ("index_select", "index", "gather")
_SCATTERED = ("index_add", "index_add_", "scatter_add", "scatter_add_")  # their fourth argument is what arrives
_MOVING = (
    "cat", "stack", "copy_", "_to_copy", "clone", "zeros", "zeros_like", "new_zeros", "new_ones", "new_full", "fill_",
    "zero_", "empty_like", "ones_like", "full_like", "index_put_", "index_copy", "slice_backward", "lift_fresh",
)  # fmt: skip


def perovskite(repeats: tuple[int, int, int]) -> Structure:
    """A supercell of SrTiO3, 5 atoms a cell."""
    places = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]
    return Structure.from_spacegroup("Pm-3m", Lattice.cubic(3.905), ["Sr", "Ti", "O"], places) * repeats


def peak_memory() -> float:
    """The largest resident set of this process so far, MiB; it never shrinks."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def apart(work: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a piece of work returns in a fresh process, for the sake of its memory."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def fastest(
    works: list[Callable[[], Any]],
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
    budget: float = math.inf,
) -> list[float]:
    """Least seconds of each of the works, taken in turn after one warm-up; no further turn once the budget is spent."""
    best = [math.inf] * len(works)
    began_all = clock()
    for turn in range(repeats + 1):
        for k, work in enumerate(works):
            began = clock()
            work()
            best[k] = min(best[k], clock() - began) if turn else math.inf
        if turn and clock() - began_all > budget:
            break
    return best


class Count(TorchDispatchMode):
    """Floating-point operations of matrix products, and numbers of each kind of pass, of everything run inside.

    Kinds are `plain`, `hard` (exponentials and the like), `gathered` (taken from or added to rows that an index names)
    and `moved`.
    """

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
            passed = args[3] if name in _SCATTERED else first
            self.elements[_kind(name, args)] += passed.numel()
        return out


def _kind(name: str, args: Any) -> str:
    if name in _GATHERED or name in _SCATTERED:
        return "gathered"
    if name in _MOVING:
        return "moved"
    squares = name == "pow" and args[1] == 2  # one product
    return "hard" if name in _HARD and not squares else "plain"


@dataclass(frozen=True)
class Rates:
    """Operations a second of a large matrix product; elements a second of an addition and of an exponential."""

    product: float
    plain: float
    hard: float

    @classmethod
    def measured(cls, clock: Callable[[], float] = time.perf_counter) -> Rates:
        """The rates of this machine as it is now."""
        a = torch.randn(1024, 1024)
        product = 2 * 1024**3 / fastest([lambda: torch.mm(a, a)], 10, clock)[0]
        x, out = torch.randn(16_384), torch.empty(16_384)

        def times(work: Callable[[], Any]) -> float:
            return 1000 * 16_384 / fastest([lambda: [work() for _ in range(1000)]], 5, clock)[0]

        return cls(product, times(lambda: torch.add(x, x, out=out)), times(lambda: torch.exp(x, out=out)))

    def seconds(self, count: Count) -> tuple[float, float, float]:
        """Least seconds of the products, the plain and the hard elements of a count; their sum is the floor."""
        return count.flops / self.product, count.elements["plain"] / self.plain, count.elements["hard"] / self.hard


def floor_lines(what: str, count: Count, rates: Rates, measured: float) -> list[str]:
    """Lines of a Markdown table of the floor beside the measured seconds."""
    seconds = rates.seconds(count)
    least = sum(seconds)
    plain, hard = (f"{count.elements[kind] / 1e6:.3g} M" for kind in ("plain", "hard"))
    parts = (
        ("matrix products", f"{count.flops / 1e9:.3g} Gflop", f"{rates.product / 1e9:.0f} Gflop/s"),
        ("element-wise, plain", plain, f"{rates.plain / 1e9:.2f} G/s"),
        ("element-wise, exponential and the like", hard, f"{rates.hard / 1e9:.2f} G/s"),
    )
    return [
        f"| floor of {what} | count | rate | ms |",
        "|---|---|---|---|",
        *(f"| {' | '.join(part)} | {1000 * s:.1f} |" for part, s in zip(parts, seconds, strict=True)),
        f"| the floor | | | {1000 * least:.1f} |",
        f"| measured ({measured / least:.2f} times the floor) | | | {1000 * measured:.1f} |",
    ]


def profile_lines(work: Callable[[], Any], repeats: int = 5, shown: int = 12) -> list[str]:
    """Lines of a Markdown table of the operations that take the most time."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        for _ in range(repeats):
            work()
    events = sorted(profile.key_averages(), key=lambda e: -e.self_cpu_time_total)
    total = sum(e.self_cpu_time_total for e in events)
    lines = ["| operation | share of the time, % | calls |", "|---|---|---|"]
    return lines + [
        f"| {e.key} | {100 * e.self_cpu_time_total / total:.1f} | {e.count // repeats} |" for e in events[:shown]
    ]
