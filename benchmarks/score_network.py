"""One evaluation of the score network: cost against atoms and batch size, floor, profile, memory.

Part of `python benchmarks/speed.py`. Crystals are random: cells of 12 Å³ an atom with lengths and angles drawn from
fixed seeds, atoms of Sr, Ti and O anywhere in them, all of them noisy, so that all layers are computed for every atom.
That is what sampling starts from. One thread; seconds are those of the process, the least of many. As in sampling,
cells are those of the evaluation before, and what depends on them alone is kept. Without the arrangement (`by modules`)
the network is called as in training.
"""

from __future__ import annotations

import copy
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from floors import Count, Rates, apart, fastest, floor_lines, peak_memory, profile_lines
from pymatgen.core import Lattice, Structure

from chggen.crystals import Crystals, edges_within, from_structures
from chggen.diffusion import Noise
from chggen.execution import keep_memory
from chggen.score import load_score_model

ATOMS = (3, 20, 100, 500)
BATCHES = (1, 8, 64)
LARGE = (100, 500, 1000)
_MOST = 6400  # atoms of a batch; 64 crystals of 500 would take as long as all others
_MOST_BY_MODULES = 4000  # they take memory for all atoms at once
_VOLUME = 12.0  # Å³ an atom
_SIGMA = 0.5  # Å


def random_crystal(n_atoms: int, seed: int) -> Structure:
    """A random cell with atoms anywhere in it."""
    rng = np.random.default_rng([n_atoms, seed])
    cell = Lattice.from_parameters(*rng.uniform(0.8, 1.25, 3), *rng.uniform(70, 110, 3)).scale(_VOLUME * n_atoms)
    return Structure(cell, rng.choice(["Sr", "Ti", "O"], n_atoms, p=[0.2, 0.2, 0.6]), rng.random((n_atoms, 3)))


def batch(n_atoms: int, size: int) -> tuple[Crystals, Noise]:
    """Random crystals and their noise levels, as the network takes them."""
    crystals = from_structures([random_crystal(n_atoms, k) for k in range(size)], torch.float32)
    return crystals, Noise(sigma=torch.full((n_atoms * size,), _SIGMA), tau=torch.zeros(size))


def network(model: Path | None) -> Any:
    """The network in a process that computes as workers do."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    keep_memory()
    return load_score_model(model)


def curve(model: Path | None, budget: float) -> tuple[list[str], Rates]:
    """Lines of the cost against atoms and batch size, and the rates that the floor is reckoned with."""
    score = network(model)
    modules = copy.deepcopy(score)
    modules.release()
    rates = Rates.measured(time.process_time)
    numbers = "Gflop | plain, M | exponential, M | gathered, M"
    head = f"| atoms | batch | edges | {numbers} | floor, ms | measured, ms | times the floor | by modules, ms |"
    lines = [head, "|" + "---|" * 11]
    for n_atoms in ATOMS:
        for size in (b for b in BATCHES if n_atoms * b <= _MOST):
            given = batch(n_atoms, size)
            works = [score, modules] if n_atoms * size <= _MOST_BY_MODULES else [score]
            best = [fastest([lambda w=w, g=given: w(*g)], 200, time.process_time, budget)[0] for w in works]
            with Count() as count:
                score(*given)
            least = sum(rates.seconds(count))
            edges = len(edges_within(given[0], score.options.cutoff).sender)
            counts = [f"{count.elements[kind] / 1e6:.3g}" for kind in ("plain", "hard", "gathered")]
            cells = [n_atoms, size, edges, f"{count.flops / 1e9:.3g}", *counts, f"{1000 * least:.2f}"]
            cells += [f"{1000 * best[0]:.2f}", f"{best[0] / least:.1f}", f"{1000 * best[1]:.1f}" if best[1:] else "–"]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines, rates


class Stages:
    """Seconds of the process by stage, which calls of functions begin and end."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._stage, self._since = "", time.process_time()

    def begin(self, stage: str) -> None:
        """End the stage before and begin another."""
        now = time.process_time()
        self.seconds[self._stage] += now - self._since
        self._stage, self._since = stage, now

    def around(self, work: Callable[..., Any], during: str, after: str) -> Callable[..., Any]:
        """The same function, which begins a stage when it is called and another when it returns."""

        def staged(*args: Any) -> Any:
            self.begin(during)
            out = work(*args)
            self.begin(after)
            return out

        return staged


def shares(score: Any, given: tuple[Crystals, Noise], repeats: int) -> list[str]:
    """Lines of what stages take of the time of an evaluation."""
    search, edges, layers = "neighbour search", "edges: harmonics, radial functions, table of the pairs", "layers"
    levels, rest = "embedding of the noise levels", "readout, and around it all"
    stages, staged = Stages(), copy.deepcopy(score)
    staged.sigma.forward = stages.around(staged.sigma.forward, levels, edges)
    staged.arrange()
    arranged = staged._arranged
    for chunk in arranged._neighbourhoods.chunks(given[0]):  # they are kept
        chunk.graph = stages.around(chunk.graph, search, edges)
    last = len(arranged._layers) - 1
    arranged._layers = [
        stages.around(layer, layers, rest if k == last else edges) for k, layer in enumerate(arranged._layers)
    ]
    for turn in range(repeats + 1):
        if turn == 1:
            stages.seconds.clear()  # the first is a warm-up
        stages.begin(rest)
        staged(*given)
        stages.begin("")
    stages.seconds.pop("", None)
    total = sum(stages.seconds.values())
    lines = ["| stage | share of the time, % |", "|---|---|"]
    return lines + [
        f"| {stage} | {100 * stages.seconds[stage] / total:.1f} |" for stage in (search, edges, levels, layers, rest)
    ]


def profile(model: Path | None, budget: float) -> list[str]:
    """Lines of the floor of 8 crystals of 20 atoms, and of where their time goes."""
    score = network(model)
    given = batch(20, 8)
    best = fastest([lambda: score(*given)], 200, time.process_time, budget)[0]
    with Count() as count:
        score(*given)
    lines = floor_lines("8 crystals of 20 atoms", count, Rates.measured(time.process_time), best)
    repeats = max(3, min(50, int(budget / best)))
    return [*lines, "", *shares(score, given, repeats), "", *profile_lines(lambda: score(*given), repeats)]


def memory(model: Path | None, n_atoms: int) -> tuple[float, float]:
    """Growth of the largest resident set by one evaluation, and all of that set, MiB."""
    score = network(model)
    score(*batch(20, 1))
    given = batch(n_atoms, 1)
    before = peak_memory()
    score(*given)
    return peak_memory() - before, peak_memory()


def tables(model: Path | None, budget: float) -> None:
    """Print the tables, each from a process of its own."""
    lines, rates = apart(curve, model, budget)
    print("\n".join(lines))
    print(
        f"\nRates: {rates.product / 1e9:.0f} Gflop/s of matrix products, {rates.plain / 1e9:.2f} G/s plain numbers, "
        f"{rates.hard / 1e9:.2f} G/s exponentials.\n"
    )
    print("\n".join(apart(profile, model, budget)), flush=True)
    print("\n| atoms | memory of an evaluation, MiB | of the whole process, MiB |\n|---|---|---|")
    for n_atoms in LARGE:
        grown, whole = apart(memory, model, n_atoms)
        print(f"| {n_atoms} | {grown:.0f} | {whole:.0f} |", flush=True)
