"""What symmetry costs: time to enumerate orbits in hosts of about 100 atoms, and sampling with and without symmetry.

    python benchmarks/orbits.py

Hosts are conventional cells: the La-Zr-O framework of garnet (Ia-3d, 136 atoms), the Zr-P-O framework of NASICON (R-3c,
102 atoms) and sulfur in fluorite's places (Fm-3m, 4 atoms, and 2 x 2 x 2 of it, 32 atoms). Each time is the best of
three, on one thread, tables loaded. Sampling: batches of 8, 40 evaluations, one try, starts included. Prints Markdown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch
from pymatgen.core import Lattice, Structure

import chggen
from chggen.crystals import Crystals
from chggen.errors import InputError
from chggen.generation import Host, batched_hosts, on_orbits, symmetrised
from chggen.sampling import Begin, OrbitSymmetry, recipe


def hosts() -> dict[str, tuple[Structure, str, tuple[int, ...]]]:
    """Name → host, guest, counts."""
    garnet = Structure.from_spacegroup(
        230, Lattice.cubic(12.97), ["La", "Zr", "O"], [[0.125, 0, 0.25], [0, 0, 0], [0.1, 0.195, 0.279]]
    )
    nasicon = Structure.from_spacegroup(
        167, Lattice.hexagonal(8.80, 22.75), ["Zr", "P", "O", "O"],
        [[0, 0, 0.1457], [0.2905, 0, 0.25], [0.181, -0.023, 0.1945], [0.193, 0.168, 0.0878]],
    )  # fmt: skip
    sulfur = Structure.from_spacegroup(225, Lattice.cubic(5.71), ["S"], [[0, 0, 0]])
    return {
        "garnet": (garnet, "Li", (24, 48, 20, 7)),
        "NASICON": (nasicon, "Na", (6, 24, 8, 1)),
        "fluorite": (sulfur, "Li", (8, 4, 3, 1)),
        "fluorite, 2 x 2 x 2": (sulfur * (2, 2, 2), "Li", (64, 16)),
    }


def best(work: Callable[[], object]) -> float:
    """Seconds, the best of three."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def enumeration() -> None:
    print("| host | atoms | guests | enumeration, s | groups |\n|---|---|---|---|---|")
    for name, (structure, guest, counts) in hosts().items():
        framework = symmetrised(structure).structure
        for count in counts:
            host = Host(framework=framework, guests={guest: count})
            try:
                plan = on_orbits(host).orbits
            except InputError as error:
                print(f"| {name} | {len(framework)} | {guest}{count} | | {error} |")
                continue
            assert plan is not None
            orders = sorted({len(choice.members) for choice in plan.choices})
            found = f"{len(plan.choices)} of order {', '.join(map(str, orders))}"
            seconds = best(lambda host=host: on_orbits(host))
            print(f"| {name} | {len(framework)} | {guest}{count} | {seconds:.2f} | {found} |", flush=True)


def sampling() -> None:
    score = chggen.load_score_model()
    how = recipe("clamp", levels=40, best_of=1)
    print("\n| host | atoms with guests | anywhere, s / sample | on orbits, s / sample |\n|---|---|---|---|")
    for name, count in (("fluorite", 8), ("NASICON", 24), ("garnet", 24)):
        structure, guest, _ = hosts()[name]
        host = on_orbits(Host(framework=symmetrised(structure).structure, guests={guest: count}))
        crystals = batched_hosts([host] * 8)

        def start(
            which: Sequence[int], seeds: Sequence[int], host: Host = host, crystals: Crystals = crystals
        ) -> Begin:
            assert host.orbits is not None
            return Begin(
                crystals=crystals, symmetry=OrbitSymmetry.of([host.orbits.draw(seed) for seed in seeds], crystals)
            )

        free = best(
            lambda crystals=crystals: how.run(score, lambda which, seeds: Begin(crystals=crystals), list(range(8)))
        )
        kept = best(lambda start=start: how.run(score, start, list(range(8))))
        print(f"| {name} | {len(structure) + count} | {free / 8:.3f} | {kept / 8:.3f} |", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    enumeration()
    sampling()
