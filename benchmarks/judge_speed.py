"""What a judge costs: SevenNet behind chggen's relaxer against SevenNet's own calculator through ASE.

    python benchmarks/judge_speed.py DATA [--crystals 32] [--weights l3i5] [--fmax 0.05] [--arms ours-2 ase-2]

Crystals of the `val` split of DATA/mp20.npz, of 4 to 20 atoms, are relaxed by CHGNet, as candidates are before they are
judged, and then by SevenNet: by chggen, which keeps their symmetry, and by FIRE of ASE with FrechetCellFilter, as
Matbench Discovery does. Arms: `ours-1` and `ours-2`, one and two processes of a thread each; `ase-1` and `ase-2`, one
process of one and of two threads; `ase-1x2`, two processes of a thread each. Wall time leaves out the start of
processes and the loading of models. Prints Markdown.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from pymatgen.core import Lattice, Structure

from chggen.execution import keep_memory
from chggen.generation import KEPT
from chggen.potential import load_potential
from chggen.potential.mp2020 import correction_of
from chggen.relaxation import relax
from relaxation import Outcome, in_processes

ARMS = {"ours-1": (1, 1), "ours-2": (2, 1), "ase-1": (1, 1), "ase-2": (1, 2), "ase-1x2": (2, 1)}  # processes, threads
_MOST = 500  # steps
Relaxer = Callable[[Sequence[Structure]], list[Outcome]]


def crystals(data: Path, n: int) -> list[Structure]:
    """Crystals of `val`, relaxed by CHGNet in their symmetry."""
    table = np.load(data / "mp20.npz")
    sizes = np.diff(table["offsets"])
    fitting = np.flatnonzero((table["split"] == "val") & (sizes >= 4) & (sizes <= 20))
    found = []
    for k in np.random.default_rng(7).permutation(fitting)[:n]:
        own = slice(table["offsets"][k], table["offsets"][k + 1])
        found.append(Structure(Lattice.from_parameters(*table["cell"][k]), table["Z"][own], table["frac"][own]))
    return [r.structure for r in relax(found, fix_symmetry=KEPT)]


def ours(weights: str, fmax: float) -> Relaxer:
    potential = load_potential(f"sevennet-{weights}")

    def run(structures: Sequence[Structure]) -> list[Outcome]:
        done = relax(structures, potential=potential, fmax=fmax, max_steps=_MOST, fix_symmetry=KEPT)
        return [Outcome(r.structure, r.energy_per_atom or np.nan, r.n_steps, r.converged) for r in done]

    return run


def by_ase(weights: str, fmax: float) -> Relaxer:
    from ase.filters import FrechetCellFilter
    from ase.optimize import FIRE
    from pymatgen.io.ase import AseAtomsAdaptor
    from sevenn.calculator import SevenNetCalculator

    calculator = SevenNetCalculator(f"7net-{weights}", device="cpu")

    def one(structure: Structure) -> Outcome:
        atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
        atoms.calc = calculator
        optimizer = FIRE(FrechetCellFilter(atoms), logfile=None)
        converged = bool(optimizer.run(fmax=fmax, steps=_MOST))
        plain = Structure(atoms.cell[:], atoms.get_chemical_symbols(), atoms.get_scaled_positions())
        energy = float(atoms.get_potential_energy()) + correction_of(plain)  # which chggen adds in its potential
        return Outcome(plain, energy / len(atoms), optimizer.nsteps, converged)

    return lambda structures: [one(s) for s in structures]


def _work(share: int, structures: list[Structure], arm: str, weights: str, fmax: float, barrier, queue) -> None:  # type: ignore[no-untyped-def]
    """Load, warm up, wait for the others, run; the queue gets the start, the end and the outcomes."""
    warnings.simplefilter("ignore")
    keep_memory()
    torch.set_num_threads(ARMS[arm][1])
    run = (ours if arm.startswith("ours") else by_ase)(weights, fmax)
    run([Structure(Lattice.cubic(4.2), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])])
    barrier.wait()
    began = time.perf_counter()
    outcomes = run(structures)
    queue.put((share, began, time.perf_counter(), outcomes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--crystals", type=int, default=32)
    parser.add_argument("--weights", default="l3i5", choices=["0", "l3i5"])
    parser.add_argument("--fmax", type=float, default=0.05)
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS))
    args = parser.parse_args()
    began = time.perf_counter()
    structures = crystals(args.data, args.crystals)
    seconds = time.perf_counter() - began
    print(f"{len(structures)} crystals, {sum(map(len, structures))} atoms; by CHGNet {seconds:.0f} s\n")
    print("| arm | wall, s | steps in all | ms / step | converged |\n|---|---|---|---|---|", flush=True)
    outcomes = {}
    for arm in args.arms:
        seconds, outcomes[arm] = in_processes(_work, ARMS[arm][0], structures, arm, args.weights, args.fmax)
        steps = sum(o.steps for o in outcomes[arm])
        converged = sum(o.converged for o in outcomes[arm])
        print(f"| {arm} | {seconds:.1f} | {steps} | {1000 * seconds / max(steps, 1):.0f} | {converged} |", flush=True)
    mine, other = (next((outcomes[a] for a in args.arms if a.startswith(n)), None) for n in ("ours", "ase"))
    if mine and other:
        gap = np.array([m.energy - o.energy for m, o in zip(mine, other, strict=True) if m.converged and o.converged])
        print(
            f"\nenergies within 2 meV/atom: {np.mean(np.abs(gap) <= 0.002):.0%} of {len(gap)}; "
            f"lower {int((gap < -0.002).sum())}, higher {int((gap > 0.002).sum())}"
        )


if __name__ == "__main__":
    main()
