"""Guests in symmetric hosts: held on the host's symmetry (`symmetry="host"`) against placed without (`"none"`).

    python benchmarks/symmetric_hosts.py DATA [--split val] [--hosts 200] [--arms host none random]
        [--unknown] [--no-relax] [--workers 2]

Hosts: crystals of the split with a group above P1 and P-1, at most 20 atoms, out of which one species is taken, drawn
once, whose rest has such a group too and orbits for the guests. One raw sample each, of what a run of one makes: the
start that comes first, or the next one where CHGNet's energy of it is clearly lower. Match: default StructureMatcher.
Symmetric: the sample has a group above P1 and P-1 at 0.01 Å. Random placement beside. --unknown: only hosts to which no
known prototype is close. --no-relax: as runs that do not relax, in which the score network chooses and no potential.
"""

from __future__ import annotations

import argparse
import functools
import os
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from arms import spread
from choose_hosts import any_species
from hosts import Case, random_placement, structures, verdict
from pymatgen.core import Structure

from chggen.campaign import Resources, clearly_lower, sample_jobs
from chggen.errors import InputError
from chggen.generation import Host, Job, SamplerOptions, analogues, fillings, on_orbits, symmetrised
from chggen.generation.prototype_mapping import CLOSE
from chggen.relaxation import RelaxOptions
from chggen.results import Candidate
from chggen.symmetry import above_trivial, space_group

ARMS = ("host", "none", "random")
MOST = 20  # atoms
Row = dict[str, Any]


@functools.cache
def cases(data: Path, split: str, most: int, unknown: bool) -> list[Case]:
    """The hosts, in an order drawn once."""
    rng = np.random.default_rng(36)
    rows = structures(data / "mp20.npz", lambda numbers, key: True, np.load(data / "mp20.npz")["split"] == split)
    keys, found = list(rows), []
    for k in rng.permutation(len(keys)):
        crystal = rows[keys[k]]
        taken = any_species(np.array(crystal.atomic_numbers), rng)
        case = Case(keys[k], crystal, tuple(np.flatnonzero(taken).tolist()))
        if len(crystal) > MOST or not taken.any() or not above_trivial(space_group(crystal, 0.1)):
            continue
        host = held(case)
        if host is not None and not (unknown and analogues(host, CLOSE, 1)):
            found.append(case)
        if len(found) == most:
            break
    return found


def held(case: Case) -> Host | None:
    """The host with a plan of orbits; None where it has none."""
    try:
        return on_orbits(Host(framework=symmetrised(case.framework).structure, guests=case.counts))
    except InputError:
        return None


def sampled(host: Host, number: int, resources: Resources) -> Structure | None:
    """What a run of one would make of a host, before it relaxes anything."""
    jobs = [
        Job(candidate=Candidate(id="", stage="inpaint", formula="", seed=1000 * number + k), start=start)
        for k, start in enumerate(fillings(host, 2 if resources.by_energy else 1, by_energy=resources.by_energy))
    ]
    made = [one for one in sample_jobs(jobs, resources) if isinstance(one, Structure)]
    if not made and jobs[0].start.symmetric:  # drawn anew, as runs do
        made = [one for one in sample_jobs([jobs[0].redraw(1)], resources) if isinstance(one, Structure)]
    if len(made) == 2 and clearly_lower([made[1]], [made[0]], resources.potential())[0]:
        return made[1]
    return made[0] if made else None


def rows_of(arms: tuple[str, ...], relaxes: bool, found: tuple[Any, ...], numbers: list[int]) -> list[Row]:
    """A row for each of some hosts and each arm; found: what the hosts are asked for by."""
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    resources = Resources(sampler=SamplerOptions(), relax=RelaxOptions() if relaxes else None)
    rows = []
    for number in numbers:
        case = cases(*found)[number]
        on = held(case)
        assert on is not None
        for arm in arms:
            began = time.process_time()
            if arm == "random":
                made: Structure | None = random_placement(case, np.random.default_rng([number, 0]))
            else:
                made = sampled(on if arm == "host" else replace(on, orbits=None), number, resources)
            rows.append({
                "host": case.id, "arm": arm, "seconds": time.process_time() - began,
                "match": made is not None and verdict(case, made)[0],
                "symmetric": made is not None and above_trivial(space_group(made, 0.01)),
            })  # fmt: skip
    return rows


def main() -> None:
    """Sample and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", default="val", choices=("val", "test"))
    parser.add_argument("--hosts", type=int, default=200)
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--unknown", action="store_true", help="only hosts to which no known prototype is close")
    parser.add_argument("--no-relax", action="store_true", help="the score network chooses")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    found = args.data, args.split, args.hosts, args.unknown
    work = functools.partial(rows_of, tuple(args.arms), not args.no_relax, found)
    rows = [row for part in spread(work, len(cases(*found)), 10, args.workers) for row in part]
    print("| arm | hosts | match | symmetric | CPU s a sample |\n|---|---|---|---|---|")
    for arm in args.arms:
        own = [r for r in rows if r["arm"] == arm]
        shares = (f"{100 * np.mean([r[k] for r in own]):.1f} %" for k in ("match", "symmetric"))
        print(f"| {arm} | {len(own)} | {' | '.join(shares)} | {np.mean([r['seconds'] for r in own]):.2f} |")


if __name__ == "__main__":
    main()
