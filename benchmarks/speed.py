"""Sampling speed and memory: inpainting samples of 20 to 400 atoms, batch by batch, on this machine.

    python benchmarks/speed.py [--quality fast] [--device cpu] [--workers 2]

Hosts are supercells of perovskite SrTiO3 whose Sr atoms are the guests, in batches of 8 (of 64 on a GPU). On the CPU
each of `--workers` processes works through a batch of its own, one thread each; seconds a sample are wall time over
the samples of all of them. Memory is the largest resident set of a process less what it held before sampling, MiB.
Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch
from pymatgen.core import Lattice, Structure

from chggen.generation import Host, batched_hosts
from chggen.sampling import recipe
from chggen.score import load_score_model

SIZES = {20: (2, 2, 1), 40: (2, 2, 2), 100: (5, 2, 2), 200: (5, 4, 2), 400: (5, 4, 4)}


def perovskite(repeats: tuple[int, int, int]) -> Structure:
    """A supercell of SrTiO3, 5 atoms a cell."""
    places = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]
    return Structure.from_spacegroup("Pm-3m", Lattice.cubic(3.905), ["Sr", "Ti", "O"], places) * repeats


def peak_memory() -> float:
    """The largest resident set of this process so far, MiB; it never shrinks."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quality", default="fast")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--atoms", type=int, nargs="+", choices=tuple(SIZES), default=list(SIZES))
    parser.add_argument("--model", type=Path)
    args = parser.parse_args()
    gpu = args.device != "cpu"
    workers, size = (1, 64) if gpu else (args.workers, 8)
    context = multiprocessing.get_context("spawn")
    print("| atoms | batch | s / sample | samples / s | memory, MiB |\n|---|---|---|---|---|")
    for n_atoms in args.atoms:
        # A fresh process for each size, for the sake of its memory.
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            arguments = (n_atoms, args.quality, args.device, size, args.model)
            done = [f.result() for f in [pool.submit(measure, *arguments) for _ in range(workers)]]
        seconds = max(d[0] for d in done) / (size * workers)
        print(f"| {n_atoms} | {size} | {seconds:.3f} | {1 / seconds:.1f} | {max(d[1] for d in done):.0f} |", flush=True)


if __name__ == "__main__":
    main()
