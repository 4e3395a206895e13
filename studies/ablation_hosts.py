"""What each idea is worth for guests in a host: from the paper's way to the default, one factor at a time.

    python studies/ablation_hosts.py DATA [--quick]

100 crystals of the `val` split, of at most 20 atoms, out of which the most mobile species is taken: Li, Na, K, Mg, Ca,
Zn, Cu, Ag or H. One raw sample by each way, then CHGNet in the fixed cell. A hit: StructureMatcher fits the crystal.
*random*: placement at random; *paper*: the paper's sampler; *clean host*: the same, the host not noised; *refreshed*: a
short ladder whose noise is drawn anew at each step; *best of tries*: four of these, chosen by the network; *by energy*:
chosen by CHGNet; *found again*: more tries, until the lowest is found twice; *orbits*: guests start on orbits of the
host's group, anywhere where it has none for them; *default*: known prototypes, orbits and anywhere in turn. Full:
1.5 hours of CPU.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
from known_crystals import validation_crystals
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure
from rivals import random_filling
from runs import spread
from study import Asked, Results, Row, Study, bars, table

import chggen
from chggen.crystals import to_structures
from chggen.generation import Host, batched_hosts
from chggen.sampling import Recipe, recipe

MOBILE = ("Li", "Na", "K", "Mg", "Ca", "Zn", "Cu", "Ag", "H")
RUNS: dict[str, dict[str, Any]] = {
    "by energy": {"guests_from": "anywhere", "best_of": 4}, "found again": {"guests_from": "anywhere"},
    "orbits": {"guests_from": "orbits"}, "default": {},
}  # fmt: skip


def recipes() -> dict[str, Recipe]:
    """The ways that are recipes of the sampler, each one step from the one before."""
    paper, clamp = recipe("paper"), recipe("clamp", best_of=1)
    return {"paper": paper, "clean host": replace(paper, anchor=clamp.anchor), "refreshed": clamp,
            "best of tries": recipe("clamp")}  # fmt: skip


WAYS = ("random", *recipes(), *RUNS)


def host_of(crystal: Structure) -> tuple[Structure, dict[str, int]]:
    """The host, and what was taken out."""
    symbol = next(m for m in MOBILE if m in crystal.composition)
    host = crystal.copy()
    host.remove_species([symbol])
    return host, {symbol: int(crystal.composition[symbol])}


def inpainted(host: Structure, guests: dict[str, int], number: int, options: dict[str, Any]) -> chggen.Candidate:
    """What a run of one makes before it relaxes; guests start anywhere where the host has no orbits for them."""
    how: dict[str, Any] = {"n": 1, "seed": number, "fix_cell": True, "max_steps": 1, "workers": 1, "progress": False}
    try:
        return chggen.inpaint(host, guests, **how, **options)[0]
    except chggen.InputError:
        return chggen.inpaint(host, guests, **how, guests_from="anywhere")[0]


def relaxed(structure: Structure) -> chggen.Relaxed:
    """By CHGNet in its cell."""
    return chggen.relax([structure], fix_cell=True, max_steps=150)[0]


def energy_of(crystal: Structure) -> float | None:
    """Of the crystal, relaxed like the samples, eV/atom."""
    done = relaxed(crystal)
    return done.energy_per_atom if done.converged else None


def row_of(job: tuple[int, Structure, float | None, str]) -> Row:
    """One host by one way: raw and relaxed, above the crystal, and what the sample cost."""
    number, crystal, true, way = job
    model, known, matcher = chggen.load_score_model(), recipes(), StructureMatcher()
    host, guests = host_of(crystal)
    began = time.process_time()
    if way == "random":
        raw = random_filling(host, guests, number)
    elif way in known:
        (raw,) = to_structures(known[way].run(model, batched_hosts([Host(framework=host, guests=guests)]), [number]))
    else:
        found = inpainted(host, guests, number, RUNS[way])
        raw = random_filling(host, guests, number) if found.raw is None else found.raw
    seconds = time.process_time() - began
    done = relaxed(raw)
    good = done.converged and true is not None
    return {
        "case": number, "way": way, "seconds": round(seconds, 2), "steps": done.n_steps,
        "raw": bool(matcher.fit(crystal, raw)), "relaxed": bool(matcher.fit(crystal, done.structure)),
        "above": round(done.energy_per_atom - true, 4) if good else None,
    }  # fmt: skip


def compute(asked: Asked) -> Results:
    """A row for each host and way."""
    mobile, n = set(MOBILE), 3 if asked.quick else 100
    cases = validation_crystals(
        asked.needs_data(), n, 20, lambda s: len(s) > 1 and bool(s & mobile) and bool(s - mobile)
    )
    true = spread(energy_of, cases, asked.out)
    jobs = {
        f"{k}-{way.replace(' ', '_')}": (k, crystal, energy, way)
        for way in WAYS
        for k, (crystal, energy) in enumerate(zip(cases, true, strict=True))
    }
    return {"quick": asked.quick, "rows": spread(row_of, jobs, asked.out)}


def told(results: Results, way: str) -> Row:
    """Shares and medians of a way."""
    own = [r for r in results["rows"] if r["way"] == way]
    above = [r["above"] for r in own if r["above"] is not None]
    return {
        "n": len(own), **{k: 100 * np.mean([r[k] for r in own]) for k in ("raw", "relaxed")},
        "low": 100 * sum(a < 0.001 for a in above) / len(own), "above": 1000 * float(np.median(above)),
        "steps": float(np.median([r["steps"] for r in own])), "seconds": float(np.mean([r["seconds"] for r in own])),
    }  # fmt: skip


def tables(results: Results) -> dict[str, str]:
    """One line for each way."""
    heads = ("way", "hosts", "hit, raw", "hit, relaxed", "as low as the crystal", "median above it, meV/atom",
             "steps of CHGNet, median", "CPU s a sample")  # fmt: skip
    lines = []
    for way in WAYS:
        one = told(results, way)
        shares = (f"{one[k]:.0f} %" for k in ("raw", "relaxed", "low"))
        lines.append((way, one["n"], *shares, f"{one['above']:.1f}", f"{one['steps']:.0f}", f"{one['seconds']:.1f}"))
    return {"ways": table(heads, lines)}


def draw(results: Results, figure: Any) -> None:
    """Hits and cost of each way."""
    every = [told(results, way) for way in WAYS]
    shares = {"relaxed": [one["relaxed"] for one in every], "raw": [one["raw"] for one in every]}
    bars(figure, WAYS, shares, "host", [one["seconds"] for one in every])


STUDY = Study("ablation_hosts", compute, tables, draw)

if __name__ == "__main__":
    STUDY.main(__doc__)
