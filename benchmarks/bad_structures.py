"""Hardening: deliberately bad structures among good ones, relaxed together with CHGNet.

    python benchmarks/bad_structures.py [--bad 1000] [--good 100] [--max-steps 25]

Bad ones, in turn: two atoms on one place; a cell with 1 Å edges; one atom in 10⁴ Å³; two slabs of vacuum around a pair;
coordinates that are not a number; an element CHGNet does not know; a flat cell; and ten cells of 1,000 atoms. Reported
are how many good ones end as they do without the bad ones, how many bad ones are marked with a reason, by reason, and
the memory of the process after each tenth. Prints Markdown tables.
"""

from __future__ import annotations

import argparse
import re
import resource
import warnings
from collections import Counter

import numpy as np
import torch
from pymatgen.core import Lattice, Structure

from chggen.execution import keep_memory
from chggen.relaxation import Relaxed, relax

_LARGE = 10  # cells of 1,000 atoms; they are not wrong, only large


def good(k: int) -> Structure:
    """Rattled rock salts, perovskites and elements, each of its own."""
    rng = np.random.default_rng(k)
    salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    places = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]
    perovskite = Structure.from_spacegroup("Pm-3m", Lattice.cubic(3.95), ["Sr", "Ti", "O"], places)
    silicon = Structure.from_spacegroup("Fd-3m", Lattice.cubic(5.5), ["Si"], [[0, 0, 0]])
    base = (salt, perovskite, silicon)[k % 3]
    step = base.lattice.get_fractional_coords(rng.normal(scale=0.08, size=(len(base), 3)))
    return Structure(base.lattice, base.species, base.frac_coords + step)


def bad(k: int) -> Structure:
    """One of seven kinds, with numbers of its own."""
    shift = np.random.default_rng(k).random(3)
    pair = [[0, 0, 0], shift]
    made = (
        lambda: Structure(Lattice.cubic(4), ["Na", "Cl"], [shift, shift + 1e-3]),
        lambda: Structure(Lattice.cubic(1), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
        lambda: Structure(Lattice.cubic(10_000 ** (1 / 3)), ["Li"], [shift]),
        lambda: Structure(Lattice.cubic(40), ["Li", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
        lambda: Structure(Lattice.cubic(4), ["Na", "Cl"], [[np.nan, 0, 0], shift]),
        lambda: Structure(Lattice.cubic(5), ["Lr", "O"], pair),
        lambda: Structure(Lattice.orthorhombic(8, 8, 0.2), ["Na", "Cl"], pair),
    )
    return made[k % len(made)]()


def large() -> Structure:
    crystal = Structure.from_spacegroup("Pm-3m", Lattice.cubic(4.1), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    return crystal * (5, 10, 10)


def resident() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bad", type=int, default=1000)
    parser.add_argument("--good", type=int, default=100)
    parser.add_argument("--max-steps", type=int, default=25)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    keep_memory()
    torch.set_num_threads(1)

    sound = [good(k) for k in range(args.good)]
    options = {"potential": "chgnet", "fmax": 0.1, "max_steps": args.max_steps}
    alone = relax(sound, **options)  # type: ignore[arg-type]
    n_large = min(_LARGE, args.bad // 100)
    mixed = [*(bad(k) for k in range(args.bad - n_large)), *(large() for _ in range(n_large))]
    order = np.random.default_rng(0).permutation(len(mixed) + len(sound))
    given = [(sound + mixed)[k] for k in order]
    memory: list[float] = []

    def watch(index: int, relaxed: Relaxed) -> None:
        done.append(index)
        if len(done) % (len(given) // 10) == 0:
            memory.append(resident())

    done: list[int] = []
    outcome = dict(zip(order.tolist(), relax(given, on_done=watch, **options), strict=True))  # type: ignore[arg-type]

    same = [
        a.converged == outcome[k].converged
        and a.energy_per_atom is not None
        and abs(a.energy_per_atom - (outcome[k].energy_per_atom or np.inf)) < 1e-4
        for k, a in enumerate(alone)
    ]
    marked = [outcome[len(sound) + k] for k in range(len(mixed))]
    reasons = Counter(re.sub(r"[\d.]+", "#", r.reason or "converged") for r in marked)
    print(f"good ones as without the bad: {sum(same)} of {len(same)} (converged {sum(a.converged for a in alone)})\n")
    print("| outcome of the bad ones | |\n|---|---|")
    for reason, count in reasons.most_common():
        print(f"| {reason} | {count} |")
    print("\nlargest resident set after each tenth, MiB: " + ", ".join(f"{m:.0f}" for m in memory))


if __name__ == "__main__":
    main()
