"""Speed of the score network and of sampling on this machine, and their memory.

    python benchmarks/speed.py [--parts network samples inpaint candidates] [--quality fast] [--workers 2] …

Of the four parts, `network` is one evaluation: floor, cost, profile and memory, see `score_network`.

`samples` are inpainting samples of 20 to 400 atoms. Hosts are supercells of perovskite SrTiO3 whose Sr atoms are the
guests, in batches of 8 (of 64 on a GPU). On the CPU each of `--workers` processes works through a batch of its own, one
thread each; seconds a sample are wall time over the samples of all of them. Memory is the largest resident set of a
process less what it held before sampling, MiB.

`inpaint` is the call `chggen.inpaint(host, {"Li": 2}, n=3, relax=False)` with the three atoms of layered TiS2 as host:
first in a new process, imports and loading included, then in the same process again, the fastest of five calls. Calls
of the network are those in that process, which starts no others for as little work.

`candidates` is the call behind `chggen generate Ca2Mn2O6 -n 20 --formula-units 1 --cells-from auto`, by `--workers`
processes: wall time from the start of Python, and of a second call that finds the workers running.
Prints Markdown tables. On a GPU there is the part `samples` alone.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import score_network
import torch
from floors import apart, peak_memory, perovskite
from pymatgen.core import Lattice, Structure

from chggen.generation import Host, batched_hosts
from chggen.sampling import recipe
from chggen.score import load_score_model

SIZES = {20: (2, 2, 1), 40: (2, 2, 2), 100: (5, 2, 2), 200: (5, 4, 2), 400: (5, 4, 4)}
PARTS = ("network", "samples", "inpaint", "candidates")


def host_of(n_atoms: int) -> Host:
    """A supercell without its Sr."""
    crystal = perovskite(SIZES[n_atoms])
    crystal.remove_species(["Sr"])
    return Host(framework=crystal, guests={"Sr": n_atoms // 5})


def measure(n_atoms: int, quality: str, device: str, size: int, model: Path | None) -> tuple[float, float]:
    """Wall seconds of one batch and the growth of the largest resident set, MiB."""
    torch.set_num_threads(1)
    score = load_score_model(model, device)
    crystals = batched_hosts([host_of(n_atoms)] * size).to(device)
    how = recipe("clamp", quality=quality)
    recipe("clamp", levels=3).run(score, batched_hosts([host_of(20)]).to(device), [0])  # warm
    before = peak_memory()
    began = time.perf_counter()
    how.run(score, crystals, list(range(size)))
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - began, peak_memory() - before


def samples(sizes: list[int], quality: str, device: str, workers: int, model: Path | None) -> None:
    """Print the table of samples, line by line."""
    workers, size = (1, 64) if device != "cpu" else (workers, 8)
    context = multiprocessing.get_context("spawn")
    print("| atoms | batch | s / sample | samples / s | memory, MiB |\n|---|---|---|---|---|")
    for n_atoms in sizes:
        # A fresh process for each size, for the sake of its memory.
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            arguments = (n_atoms, quality, device, size, model)
            done = [f.result() for f in [pool.submit(measure, *arguments) for _ in range(workers)]]
        seconds = max(d[0] for d in done) / (size * workers)
        print(f"| {n_atoms} | {size} | {seconds:.3f} | {1 / seconds:.1f} | {max(d[1] for d in done):.0f} |", flush=True)


def counted(work: Callable[[], Any]) -> tuple[float, float, int, int]:
    """Seconds of the process and wall seconds of a piece of work; calls of the network and crystals in them."""
    from chggen.score.nequip import NequipScore

    forward, crystals = NequipScore.forward, []

    def noted(self: Any, given: Any, noise: Any) -> Any:
        crystals.append(given.n_crystals)
        return forward(self, given, noise)

    NequipScore.forward = noted
    try:
        began = time.process_time(), time.perf_counter()
        work()
        return time.process_time() - began[0], time.perf_counter() - began[1], len(crystals), sum(crystals)
    finally:
        NequipScore.forward = forward


def inpaint(began: float, model: Path | None, repeats: int) -> list[str]:
    """Lines of the call of `inpaint`: the first one of a process that began then, and the fastest of those after it."""
    import chggen

    places = [[0, 0, 0], [1 / 3, 2 / 3, 0.25]]
    host = Structure.from_spacegroup("P-3m1", Lattice.hexagonal(3.407, 5.695), ["Ti", "S"], places)

    def call() -> None:
        chggen.inpaint(host, {"Li": 2}, n=3, seed=0, relax=False, model=model)

    _, _, *asked = counted(call)
    first = (time.process_time(), time.time() - began, *asked)
    later = min(counted(call) for _ in range(repeats))
    lines = ["| `inpaint` | CPU, s | wall, s | calls of the network | crystals in them |", "|---|---|---|---|---|"]
    return lines + [
        f"| {name} | {cpu:.2f} | {wall:.2f} | {calls} | {crystals} |"
        for name, (cpu, wall, calls, crystals) in (("first, from the start of Python", first), ("model loaded", later))
    ]


def candidates(began: float, workers: int) -> list[str]:
    """Lines of the time that 20 candidates of 10 atoms take, relaxed and ranked."""
    import chggen

    lines = ["| 20 candidates of 10 atoms | wall, s | rows | lowest, eV/atom |", "|---|---|---|---|"]
    for name in ("first, from the start of Python", "workers running"):
        made = chggen.generate("Ca2Mn2O6", n=20, formula_units=1, cells_from="auto", workers=workers, seed=0)
        lowest = min(c.energy_per_atom for c in made if c.energy_per_atom is not None)
        lines.append(f"| {name} | {time.time() - began:.1f} | {len(made)} | {lowest:.4f} |")
        began = time.time()
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--quality", default="fast")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--atoms", type=int, nargs="+", choices=tuple(SIZES), default=list(SIZES))
    parser.add_argument("--seconds", type=float, default=0.5, help="spent on the repeats of one evaluation")
    parser.add_argument("--model", type=Path)
    args = parser.parse_args()
    parts = args.parts if args.device == "cpu" else ["samples"]
    if "network" in parts:
        score_network.tables(args.model, args.seconds)
        print()
    if "samples" in parts:
        samples(args.atoms, args.quality, args.device, args.workers, args.model)
        print()
    if "inpaint" in parts:
        print("\n".join(apart(inpaint, time.time(), args.model, 5)))
        print()
    if "candidates" in parts:
        print("\n".join(apart(candidates, time.time(), args.workers)))


if __name__ == "__main__":
    main()
