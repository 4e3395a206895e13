"""Relaxation throughput: chggen against chgnet's own StructOptimizer (FIRE through ASE) on the same structures.

    python benchmarks/relaxation.py [--candidates 64] [--fmax 0.05] [--max-steps 500] [--arms ours-1 ours-2 ...]

The structures are raw candidates of 5-40 atoms in random Bravais cells (Zn-P-S, Li-Si, oxides), sampled by the shipped
model from fixed seeds. Cell and positions are relaxed with CHGNet. Arms: `ours-1` and `ours-2`, one and two processes
of a thread each; `optimizer-1` and `optimizer-2`, StructOptimizer on one structure after the other with one and two
threads; `optimizer-1x2`, two processes of it with one thread each. Wall time of an arm leaves out the start of its
processes and the loading of the model. In random cells energies are not settled at such an fmax, so both ends are then
relaxed on to 0.005 eV/Å by one optimizer. Prints Markdown tables. With all arms about half an hour on two cores.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from pymatgen.core import Structure

import chggen
from chggen.execution import keep_memory
from chggen.potential import load_potential
from chggen.relaxation import relax
from chggen.symmetry import space_group

FORMULAS = (
    ("ZnPS3", 1), ("ZnPS3", 2), ("ZnP2S6", 1), ("ZnP2S6", 4), ("Zn3P2S8", 1), ("Zn3P2S8", 2), ("ZnP2S4", 2),
    ("Li5Si2", 1), ("Li5Si2", 3), ("Li12Si7", 1), ("LiSi", 4), ("Li15Si4", 1),
    ("MgAl2O4", 1), ("MgAl2O4", 2), ("CaTiO3", 2), ("LiFePO4", 1), ("Zn2SiO4", 2), ("Na2Ti3O7", 1), ("BaSnO3", 4),
    ("La2O3", 1), ("SrTiO3", 8), ("LiCoO2", 3),
)  # fmt: skip
ARMS = ("ours-1", "ours-2", "optimizer-1", "optimizer-2", "optimizer-1x2")


@dataclass(frozen=True)
class Outcome:
    """A relaxed structure, its energy (eV/atom), the steps it took, and whether it converged."""

    structure: Structure
    energy: float
    steps: int
    converged: bool


def candidates(n: int) -> list[Structure]:
    """n raw candidates, the formulas in turn; those that overlap are left out and replaced by further ones."""
    found: list[Structure] = []
    for turn in range(n):
        for formula, units in FORMULAS:
            made = chggen.generate(
                formula, n=1, formula_units=[units], seed=turn, quality="fast", best_of=1, relax=False, workers=1
            )
            found += [c.raw for c in made if c.status == "ok" and c.raw is not None]
            if len(found) >= n:
                return found[:n]
    raise AssertionError("unreachable: a turn gives one candidate at least")


def ours(structures: Sequence[Structure], fmax: float, max_steps: int) -> Callable[[], list[Outcome]]:
    potential = load_potential("chgnet")

    def run() -> list[Outcome]:
        done = relax(structures, potential=potential, fmax=fmax, max_steps=max_steps)
        return [Outcome(r.structure, r.energy_per_atom or np.nan, r.n_steps, r.converged) for r in done]

    return run


def optimizer(structures: Sequence[Structure], fmax: float, max_steps: int) -> Callable[[], list[Outcome]]:
    from chgnet.model import StructOptimizer

    relaxer = StructOptimizer(use_device="cpu")

    def one(structure: Structure) -> Outcome:
        made = relaxer.relax(structure, fmax=fmax, steps=max_steps, verbose=False)
        steps = len(made["trajectory"]) - 1
        energy = float(made["trajectory"].energies[-1]) / len(structure)
        final = made["final_structure"]
        plain = Structure(final.lattice, final.species, final.frac_coords)  # its properties are tensors
        return Outcome(plain, energy, steps, steps < max_steps)

    return lambda: [one(s) for s in structures]


def _work(
    share: int, structures: list[Structure], name: str, threads: int, fmax: float, max_steps: int, barrier, queue
) -> None:  # type: ignore[no-untyped-def]
    """Load, wait for the others, run; the queue gets the start, the end and the outcomes."""
    warnings.simplefilter("ignore")
    keep_memory()
    torch.set_num_threads(threads)
    make = ours if name == "ours" else optimizer
    make(structures[:1], fmax, 2)()  # warm
    run = make(structures, fmax, max_steps)
    barrier.wait()
    began = time.perf_counter()
    outcomes = run()
    queue.put((share, began, time.perf_counter(), outcomes))


def measure(arm: str, structures: list[Structure], fmax: float, max_steps: int) -> tuple[float, list[Outcome]]:
    """Wall seconds and outcomes, in the order of the structures, of an arm."""
    name, how = arm.split("-")
    processes, threads = {"ours-1": (1, 1), "ours-2": (2, 1), "1": (1, 1), "2": (1, 2), "1x2": (2, 1)}[
        arm if name == "ours" else how
    ]
    return in_processes(_work, processes, structures, name, threads, fmax, max_steps)


def in_processes(
    work: Callable[..., None], processes: int, structures: list[Structure], *given: object
) -> tuple[float, list[Outcome]]:
    """Wall seconds and outcomes, in the order of the structures, of so many processes that share them.

    work: called with its number, its structures, what is given, a barrier to wait at before it begins, and a queue for
    its number, start, end and outcomes.
    """
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(processes), context.Queue()
    # Largest first and in turn, so that processes get about the same work.
    order = sorted(range(len(structures)), key=lambda k: -len(structures[k]))
    shares = [order[k::processes] for k in range(processes)]
    team = [
        context.Process(target=work, args=(k, [structures[i] for i in share], *given, barrier, queue))
        for k, share in enumerate(shares)
    ]
    for worker in team:
        worker.start()
    parts = [queue.get() for _ in team]
    for worker in team:
        worker.join()
    seconds = max(end for _, _, end, _ in parts) - min(began for _, began, _, _ in parts)
    found = {i: made for k, _, _, outcomes in parts for i, made in zip(shares[k], outcomes, strict=True)}
    return seconds, [found[k] for k in range(len(structures))]


def compared(mine: Sequence[Outcome], other: Sequence[Outcome]) -> list[tuple[str, str]]:
    """What the second table says of our outcomes against StructOptimizer's, where both converged."""
    both = [(m, o) for m, o in zip(mine, other, strict=True) if m.converged and o.converged]
    gap = np.array([m.energy - o.energy for m, o in both])
    far = np.abs(gap) > 0.002
    steps = np.array([(m.steps, max(o.steps, 1)) for m, o in both])
    converged = [sum(x.converged for x in arm) for arm in (mine, other)]
    same = [space_group(m.structure, 0.1) == space_group(o.structure, 0.1) for m, o in both]
    return [
        ("converged, chggen / StructOptimizer", f"{converged[0]} / {converged[1]}"),
        ("median steps, chggen / StructOptimizer", " / ".join(f"{k:.0f}" for k in np.median(steps, axis=0))),
        ("median of the ratio of steps", f"{np.median(steps[:, 0] / steps[:, 1]):.2f}"),
        ("energies within 2 meV/atom", f"{np.mean(~far):.1%} of {len(both)}"),
        ("lower / higher by more", f"{int((gap < -0.002).sum())} / {int((gap > 0.002).sum())}"),
        ("space group the same at 0.1 Å, of those within 2 meV/atom", f"{np.mean(np.array(same)[~far]):.1%}"),
    ]


def same_minimum(mine: Sequence[Outcome], other: Sequence[Outcome]) -> list[tuple[str, str]]:
    """Both ends relaxed on by one and the same optimizer to 0.005 eV/Å: whether they lie in the same valley."""
    both = [(m, o) for m, o in zip(mine, other, strict=True) if m.converged and o.converged]
    ends = [
        [r.energy_per_atom or np.nan for r in relax([x.structure for x in arm], fmax=0.005, max_steps=1000)]
        for arm in zip(*both, strict=True)
    ]
    gain = [np.array([x.energy for x in arm]) - end for arm, end in zip(zip(*both, strict=True), ends, strict=True)]
    gap = np.array(ends[0]) - np.array(ends[1])
    return [
        ("energy still to be gained at that fmax, mean, meV/atom", " / ".join(f"{1000 * g.mean():.1f}" for g in gain)),
        ("the same, share above 2 meV/atom", " / ".join(f"{np.mean(g > 0.002):.0%}" for g in gain)),
        ("both relaxed on to 0.005 eV/Å: within 2 meV/atom", f"{np.mean(np.abs(gap) <= 0.002):.1%}"),
        ("lower / higher by more", f"{int((gap < -0.002).sum())} / {int((gap > 0.002).sum())}"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=64)
    parser.add_argument("--fmax", type=float, default=0.05)
    parser.add_argument("--max-steps", type=int, default=500)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    args = parser.parse_args()
    structures = candidates(args.candidates)
    print(f"{len(structures)} candidates, {sum(map(len, structures))} atoms\n")
    print("| arm | wall, s | structures / s | steps in all | ms / step | converged |\n|---|---|---|---|---|---|")
    outcomes: dict[str, list[Outcome]] = {}
    for arm in args.arms:
        seconds, outcomes[arm] = measure(arm, structures, args.fmax, args.max_steps)
        steps = sum(o.steps for o in outcomes[arm])
        cells = [arm, f"{seconds:.1f}", f"{len(structures) / seconds:.2f}", str(steps), f"{1000 * seconds / steps:.1f}"]
        print("| " + " | ".join([*cells, str(sum(o.converged for o in outcomes[arm]))]) + " |", flush=True)
    mine, other = (next((outcomes[a] for a in args.arms if a.startswith(n)), None) for n in ("ours", "optimizer"))
    if mine and other:
        print("\n| compared | |\n|---|---|")
        for what, value in [*compared(mine, other), *same_minimum(mine, other)]:
            print(f"| {what} | {value} |")


if __name__ == "__main__":
    main()
