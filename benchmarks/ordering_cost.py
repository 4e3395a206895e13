"""Orderings of cells with too many ways to be listed: energies until the lowest is found, and how large a cell can be.

    python benchmarks/ordering_cost.py DATA --out FOLDER [--cases 16] [--workers 2] [--table]
    python benchmarks/ordering_cost.py DATA --out FOLDER --large

Averaged crystals of benchmarks/ids/orderings.json in supercells along their axes that can be filled in more ways than
the program lists (20,000), of up to 60 atoms. Both arms fill the same cell, and an energy is one by CHGNet, of an
ordering as it stands:

- program: its symmetric orderings, those low by their charges, and replica exchange;
- swaps: Metropolis swaps at 1000 K from a random start, 2,000 energies.

Reached: no more than 1 meV/atom above the lowest that either arm saw; an arm that never gets there counts with 2,000
energies. --large: (Li,Co)O of rock salt in cells of 64 to 400 atoms: the lowest ordering of the program and the
best of as many random ones, both relaxed, with time and memory; draws docs/images/ordering_large.svg.
"""

from __future__ import annotations

import argparse
import math
import resource
import time
import warnings
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from kept_rows import KeptRows
from ordering_cases import Averaged, cases
from pymatgen.core import Lattice, Structure

from chggen.generation import (
    OrderingRequest,
    OrderingSites,
    cells_to_fill,
    low_orderings,
    ordering_energies,
    read_disorder,
)
from chggen.generation.orderings import count_of_ways, drawn_orderings
from chggen.potential import load_potential

ENERGIES = 2000  # of the swaps
NEAR = 0.001  # eV/atom
LARGEST = 60  # atoms
FEW = 20_000  # ways that the program lists
_KT = 8.617333e-5 * 1000  # eV
_LARGE = ((2, 2, 2), (3, 2, 2), (3, 3, 2), (3, 3, 3), (4, 3, 3), (4, 4, 3))
FIGURE = Path(__file__).parent.parent / "docs" / "images" / "ordering_large.svg"


class Counted:
    """Energies by CHGNet, each kept in the order in which it was asked for, eV/atom."""

    def __init__(self) -> None:
        self.seen: list[float] = []
        self._of = ordering_energies.energies_of

    def __enter__(self) -> Counted:
        def counted(potential: Any, crystals: Any) -> Any:
            found = self._of(potential, crystals)
            self.seen += (found.energy / crystals.n_atoms.to(found.energy)).tolist()
            return found

        ordering_energies.energies_of = counted
        return self

    def __exit__(self, *_: object) -> None:
        ordering_energies.energies_of = self._of

    def until(self, height: float) -> int:
        """Energies until one is as low; as many as the swaps may take where none is."""
        return next((k + 1 for k, energy in enumerate(self.seen) if energy <= height), ENERGIES)


def supercell(case: Averaged) -> tuple[int, int, int] | None:
    """The smallest multiples of the axes with more ways than are listed; None where they have too many atoms."""
    n = len(case.crystal)
    for axes in sorted(product((1, 2, 3), repeat=3), key=lambda axes: (math.prod(axes), max(axes))):
        if n * math.prod(axes) > LARGEST:
            return None
        if count_of_ways(sites_of(case.average.make_supercell(axes, in_place=False))[1]) > FEW:
            return axes
    return None


def sites_of(average: Structure) -> tuple[OrderingRequest, OrderingSites]:
    """What is asked of the program for the cell that a structure comes in, and its sites."""
    disorder = read_disorder(average)
    (first, *_) = cells_to_fill(disorder, len(average), 0.1)
    request = OrderingRequest(
        disorder=disorder, cells=(first,), potential=load_potential("chgnet"), n=8, seed=0, max_atoms=first.atoms
    )
    return request, OrderingSites.of(disorder, first)


def by_swaps(request: OrderingRequest, sites: OrderingSites, n: int, seed: int) -> None:
    """Metropolis swaps of two atoms that differ on sites of one sublattice."""
    energies = ordering_energies.of_potential(sites, request.potential)
    rng = np.random.default_rng(seed)
    (now,) = drawn_orderings(sites, 1, seed)
    height = float(energies(now[None])[0])
    pools = [own for own, held in sites.pools() if len(np.unique(held)) > 1]
    weights = np.array([len(own) for own in pools], dtype=float)
    taken = 1
    while taken < n:
        a, b = rng.choice(pools[int(rng.choice(len(pools), p=weights / weights.sum()))], 2, replace=False)
        if now[a] == now[b]:
            continue
        tried = now.copy()
        tried[a], tried[b] = now[b], now[a]
        if not sites.fits(tried[None])[0]:
            continue
        new, taken = float(energies(tried[None])[0]), taken + 1
        if rng.random() < math.exp(min(0.0, -(new - height) / _KT)):
            now, height = tried, new


def row_of(number: int, case: Averaged, axes: tuple[int, int, int]) -> dict[str, Any]:
    """Both arms of a case."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    request, sites = sites_of(case.average.make_supercell(axes, in_place=False))
    with Counted() as program:
        low_orderings(request, "lattice")
    with Counted() as swaps:
        by_swaps(request, sites, ENERGIES, number)
    lowest = min(*program.seen, *swaps.seen)
    return {
        "id": case.id, "formula": case.crystal.composition.reduced_formula, "atoms": sites.cell.atoms,
        "ways": count_of_ways(sites), "program": program.until(lowest + NEAR), "swaps": swaps.until(lowest + NEAR),
        "program_above": min(program.seen) - lowest, "swaps_above": min(swaps.seen) - lowest,
        "program_all": len(program.seen),
    }  # fmt: skip


def print_table(rows: list[dict[str, Any]]) -> None:
    print("| crystal | atoms | ways | energies, program | its lowest, meV/atom above | energies, swaps | lowest |")
    print("|---|---|---|---|---|---|---|")
    for row in sorted(rows, key=lambda row: row["ways"]):
        print(
            f"| {row['formula']} | {row['atoms']} | {row['ways']:.0e} | {said(row, 'program', row['program_all'])} | "
            f"{1000 * row['program_above']:.1f} | {said(row, 'swaps', ENERGIES)} | {1000 * row['swaps_above']:.1f} |"
        )
    ours, theirs = (np.array([row[arm] for row in rows], dtype=float) for arm in ("program", "swaps"))
    reached = [sum(row[f"{arm}_above"] <= NEAR for row in rows) for arm in ("program", "swaps")]
    print(f"\n{len(rows)} cells; reached by the program in {reached[0]}, by swaps in {reached[1]}; energies in all ")
    print(f"{ours.sum():.0f} against {theirs.sum():.0f}, ratio {ours.sum() / theirs.sum():.2f}, median of the ratios")
    print(f"{np.median(ours / theirs):.2f}")


def said(row: dict[str, Any], arm: str, every: int) -> str:
    return str(row[arm]) if row[f"{arm}_above"] <= NEAR else f"not in {every}"


def large(axes: tuple[int, int, int]) -> dict[str, Any]:
    """The program and random orderings in one large cell."""
    import chggen

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    salt = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(4.1), [{"Li": 0.5, "Co": 0.5}, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    began = time.time()
    request, sites = sites_of(salt.make_supercell(axes, in_place=False))
    with Counted() as program:
        found = low_orderings(request, "lattice")
    seconds = time.time() - began
    energies = ordering_energies.of_potential(sites, request.potential)
    drawn = drawn_orderings(sites, len(program.seen), 1)
    heights = energies(drawn)
    ends = chggen.relax([found[0].structure, sites.structure(drawn[int(heights.argmin())])])
    return {
        "axes": axes, "atoms": sites.cell.atoms, "energies": len(program.seen), "seconds": seconds,
        "program": found[0].energy, "random": float(heights.min()) / sites.cell.atoms,
        "program_relaxed": ends[0].energy_per_atom, "random_relaxed": ends[1].energy_per_atom,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }  # fmt: skip


def draw_large(rows: list[dict[str, Any]]) -> None:
    """Energies and memory over the number of atoms."""
    import matplotlib.pyplot as plt

    rows = sorted(rows, key=lambda row: row["atoms"])
    atoms = [row["atoms"] for row in rows]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
    for arm, mark, colour in (("program", "o-", "#0072b2"), ("random", "s--", "#d55e00")):
        left.plot(atoms, [row[f"{arm}_relaxed"] for row in rows], mark, color=colour, label=arm)
    left.set(xlabel="atoms in the cell", ylabel="lowest, relaxed, eV/atom")
    left.legend(frameon=False)
    right.plot(atoms, [row["memory"] for row in rows], "o-", color="#0072b2")
    right.set(xlabel="atoms in the cell", ylabel="peak memory, GB", ylim=(0, None))
    figure.tight_layout()
    figure.savefig(FIGURE, metadata={"Date": None})
    print(
        "| atoms | energies | s | program, eV/atom | best of as many random | program, relaxed | random, relaxed | GB |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['atoms']} | {row['energies']} | {row['seconds']:.0f} | {row['program']:.3f} | {row['random']:.3f} "
            f"| {row['program_relaxed']:.3f} | {row['random_relaxed']:.3f} | {row['memory']:.2f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cases", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--table", action="store_true", help="print the table of the rows alone")
    parser.add_argument("--large", action="store_true", help="large cells instead")
    args = parser.parse_args()
    kept = KeptRows(args.out / ("large.jsonl" if args.large else "cost.jsonl"))
    if args.large:
        if not args.table:
            known = {tuple(row["axes"]) for row in kept.rows}
            kept.compute(large, [(axes,) for axes in _LARGE if axes not in known], args.workers, tasks=1)
        draw_large(kept.rows)
        return
    if not args.table:
        done = {row["id"] for row in kept.rows}
        found = [(k, case, supercell(case)) for k, case in enumerate(cases(args.data))]
        wanted = [entry for entry in found if entry[2] is not None][: args.cases]
        kept.compute(row_of, [entry for entry in wanted if entry[1].id not in done], args.workers)
    print_table(kept.rows)


if __name__ == "__main__":
    main()
