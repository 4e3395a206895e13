"""Second volumes: how often a relaxed crystal has a lower minimum at another volume, and what finding it costs.

    python benchmarks/volume_states.py DATA [--n 60]
    python benchmarks/volume_states.py DATA --runs

Crystals of the `val` split are relaxed from a volume 10 % too small, 10 % or 20 % too large: n with V to Cu, and n
without. So are two layered oxides of which CHGNet has two states. Each is then looked at as candidates are
(`campaign.volume_basins`). As a check, every crystal is also relaxed from 6 % off to both sides, whatever the four
energies say. Prints what moved, what was missed, and the cost in CPU time. --runs: instead, the share of the CPU time
of whole runs of `predict` that goes into it, and the volumes that come out.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from hosts import structures
from pymatgen.core import Lattice, Structure

import chggen
from chggen.campaign import production
from chggen.campaign.relax_and_refine import relax_candidates
from chggen.campaign.resources import Resources
from chggen.campaign.volume_basins import in_lower_basins
from chggen.generation import SamplerOptions
from chggen.relaxation import RelaxOptions, relax
from chggen.results import Candidate

_MAGNETIC = ("V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu")
_FALL = 0.005  # eV/atom


def layered(alkali: str, a: float, c: float, z: float) -> Structure:
    """A layered cobalt oxide of the α-NaFeO2 type."""
    lattice, sites = Lattice.hexagonal(a, c), [[0, 0, 0.5], [0, 0, 0], [0, 0, z]]
    return Structure.from_spacegroup("R-3m", lattice, [alkali, "Co", "O"], sites).get_primitive_structure()


def chosen(data: Path, n: int) -> dict[str, Structure]:
    """n crystals of val with a magnetic element and n without, at most 12 atoms each."""
    path = data / "mp20.npz"
    in_split = structures(path, lambda numbers, _: len(numbers) <= 12, np.load(path)["split"] == "val")
    known = list(in_split.values())
    order = np.random.default_rng(0).permutation(len(known))
    found: dict[str, Structure] = {}
    for magnetic in (True, False):
        fitting = [known[k] for k in order if any(e in known[k].symbol_set for e in _MAGNETIC) == magnetic]
        found |= {f"{k} {s.reduced_formula}": s for k, s in enumerate(fitting[:n], start=n * (not magnetic))}
    return found


def main() -> None:
    """Relax, look for second volumes, compare with relaxing from both sides, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--n", type=int, default=60)
    parser.add_argument("--runs", action="store_true")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    if given.runs:
        shares()
        return
    rng = np.random.default_rng(1)
    starts = chosen(given.data, given.n)
    for structure in starts.values():
        structure.scale_lattice(structure.volume * rng.choice([0.9, 1.1, 1.2]))
    for name, oxide, factor in (
        ("LiCoO2 from 1.2 V", layered("Li", 2.816, 14.05, 0.2605), 1.2),
        ("NaCoO2 from 0.9 V", layered("Na", 2.889, 15.6, 0.27), 0.9),
    ):
        oxide.scale_lattice(oxide.volume * factor)
        starts[name] = oxide
    resources = Resources(sampler=SamplerOptions(), relax=RelaxOptions())
    candidates = [
        Candidate(id=name, stage="generate", formula=s.reduced_formula, seed=0, structure=s, raw=s)
        for name, s in starts.items()
    ]
    begun = time.process_time()
    relaxed = relax_candidates(candidates, resources)
    first = time.process_time() - begun
    begun = time.process_time()
    moved = in_lower_basins(relaxed, resources)
    second = time.process_time() - begun
    for one, other in zip(relaxed, moved, strict=True):
        if one is not other:
            print(_told("moved ", one, other.energy_per_atom, other.volume_per_atom))
    good = [c for c in moved if c.status == "ok"]
    sides = [_scaled(c, factor) for c in good for factor in (0.94, 1.06)]
    ends = relax(sides, potential=resources.potential(), fmax=0.1)
    for k, c in enumerate(good):
        for end in ends[2 * k : 2 * k + 2]:
            if end.converged and end.energy_or_inf < (c.energy_per_atom or 0) - _FALL:
                print(_told("missed", c, end.energy_per_atom, end.structure.volume / len(end.structure)))
    steps = sum(c.relax_steps or 0 for c in relaxed)
    print(f"{len(good)} crystals; relaxation and symmetry {first:.1f} s ({steps} steps), second volumes {second:.1f} s")


def shares() -> None:
    """Print the share of the CPU time of runs that goes into second volumes."""
    spent, moved = 0.0, 0

    def timed(candidates: Sequence[Candidate], resources: Resources) -> list[Candidate]:
        nonlocal spent, moved
        begun = time.process_time()
        found = in_lower_basins(candidates, resources)
        spent += time.process_time() - begun
        moved += sum(one is not other for one, other in zip(candidates, found, strict=True))
        return found

    production.in_lower_basins = timed  # type: ignore[assignment]
    for formula in ("LiCoO2", "NaCoO2", "LaCoO3", "Fe2O3", "TiO2", "MnP"):
        spent, moved, begun = 0.0, 0, time.process_time()
        best = chggen.predict(formula, n=8, seed=1, workers=1, second_level_below=None)[0]
        total = time.process_time() - begun
        told = f"{moved} moved; best {best.energy_per_atom:.3f} eV/atom, {best.volume_per_atom:.2f} Å³/atom"
        print(
            f"{formula}: {total:.1f} s, {spent / total:.1%} for second volumes, {told}, group {best.space_group_loose}"
        )


def _scaled(candidate: Candidate, factor: float) -> Structure:
    structure = candidate.structure.copy()  # type: ignore[union-attr]
    structure.scale_lattice(structure.volume * factor)
    return structure


def _told(word: str, one: Candidate, energy: float | None, volume: float | None) -> str:
    fall = 1000 * ((one.energy_per_atom or 0) - (energy or 0))
    return (
        f"{word} {one.id}: {fall:.1f} meV/atom lower at {(volume or 0) / (one.volume_per_atom or 1):.3f} of the volume"
    )


if __name__ == "__main__":
    main()
