"""Ions put into hosts (discussion of the paper): a conductor of the LaCl3 type, and electrodes of ten known hosts.

    python studies/intercalation.py [--quick]

*Conductor*: Li7Ta4La7Cl48, near Li0.388Ta0.238La0.475Cl3 (Yin et al., Nature 616, 77, 2023): La vacancies of a cell of
LaCl3 ordered by `chggen order`, then Ta and Li put into the rest by `chggen inpaint`; beside it the same atoms at
random in the same hosts, relaxed as often. *Electrodes*: `chggen electrode` for Li, Na and Mg in ten hosts by their
published crystals (studies/hosts.csv). Full: about three hours of CPU.
"""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.core import Lattice, Structure
from rivals import random_filling
from runs import Run, asked_for, made, spread
from study import Asked, Results, Row, Study, signed, table

import chggen

IONS = ("Li", "Na", "Mg")
HOSTS = Path(__file__).parent / "hosts.csv"
MEASURED = {("FePO4", "Li"): 3.45, ("FePO4", "Na"): 2.9, ("TiS2", "Li"): 2.1, ("MnO2", "Li"): 4.1}  # V, see hosts.csv
CHLORIDE = Structure.from_spacegroup(  # Morosin, J. Chem. Phys. 49, 3007, 1968
    "P6_3/m", Lattice.hexagonal(7.478, 4.375), ["La", "Cl"], [[1 / 3, 2 / 3, 0.25], [0.3875, 0.3015, 0.25]]
)


def compute(asked: Asked) -> Results:
    """The conductor by both arms, and the electrodes."""
    n = 2 if asked.quick else 8
    conductor = conductor_rows(asked, n)
    hosts = dict(list(crystals().items())[:1] if asked.quick else crystals())
    ions = IONS[:1] if asked.quick else IONS
    runs = {
        f"{name}-{ion}": Run.of("electrode", host, ion, n=n // 2, seed=0)
        for name, host in hosts.items()
        for ion in ions
    }
    electrodes = []
    for name, (found, seconds) in made(asked.out, runs).items():
        host, ion = name.split("-")
        row = {"host": host, "ion": ion, "candidates": len(found), "seconds": round(seconds)}
        electrodes.append(row | curve(asked.out / name))
    return {"quick": asked.quick, **conductor, "electrodes": electrodes}


def crystals() -> dict[str, Structure]:
    """The ten hosts: name to primitive crystal."""
    found = {}
    with HOSTS.open() as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            lattice = Lattice.from_parameters(*(float(x) for x in row["cell"].split()))
            sites = [site.split() for site in row["sites"].split(";")]
            whole = Structure.from_spacegroup(row["group"], lattice, [s[0] for s in sites],
                                              [[float(x) for x in s[1:]] for s in sites])  # fmt: skip
            found[row["name"]] = whole.get_primitive_structure()
    return found


def conductor_rows(asked: Asked, n: int) -> Results:
    """La vacancies ordered, then guests put in by the program and at random."""
    cell, (la, guests) = ([2, 2, 1], (4, {"Ta": 2, "Li": 2})) if asked.quick else ([2, 2, 2], (7, {"Ta": 4, "Li": 7}))
    vacant = CHLORIDE * cell
    vacant.replace_species({"La": {"La": la / vacant.composition["La"]}})
    order = Run.of("order", vacant, n=2, seed=0, max_atoms=len(vacant))
    hosts = [c.structure for c in made(asked.out, {"order": order})["order"][0] if c.status == "ok"][:2]
    fill = {f"fill-{k}": Run.of("inpaint", host, guests=guests, n=n, seed=0) for k, host in enumerate(hosts)}
    rows, seconds = [], 0.0
    for name, (found, cost) in made(asked.out, fill).items():
        seconds += cost
        rows += [{"arm": "chggen", "host": name, **placed(c)} for c in asked_for(found)]
    jobs = [(host, guests, f"fill-{k}", 100 * k + j) for k, host in enumerate(hosts) for j in range(n)]
    random = spread(random_row, jobs, asked.out)
    costs = {"chggen": round(seconds / len(jobs)), "random": round(sum(r.pop("seconds") for r in random) / len(jobs))}
    return {"formula": rows[0]["formula"], "costs": costs, "conductor": rows + random}


def placed(c: chggen.Candidate) -> Row:
    """What is kept of a filling."""
    e_d = None if c.status != "ok" or c.e_decomposition is None else round(c.e_decomposition, 4)
    return {"formula": c.formula, "e_d": e_d, "failed_at": c.failed_at, "group": c.space_group_loose}


def random_row(job: tuple[Structure, dict[str, int], str, int]) -> Row:
    """Guests at random, relaxed alike."""
    host, guests, name, seed = job
    began = time.process_time()
    (done,) = chggen.relax([random_filling(host, guests, seed)])
    formula = done.structure.composition.reduced_formula
    e_d = round(chggen.hull(formula, done.energy_per_atom).e_decomposition, 4) if done.converged else None
    row: Row = {"arm": "random", "host": name, "formula": formula, "e_d": e_d, "group": None}
    return row | {"failed_at": None if done.converged else "relax", "seconds": time.process_time() - began}


def curve(folder: Path) -> Row:
    """Average voltage at the level of the run, and the contents and candidates that it is of."""
    said = json.loads((folder / "electrode.json").read_text())[0]
    return {"voltage": said["average_voltage"], "contents": len(said["contents"]), "level": said["level"]}


def tables(results: Results) -> dict[str, str]:
    """The conductor's fillings by arm, and the voltages."""
    lines = []
    for arm in ("chggen", "random"):
        own = [r for r in results["conductor"] if r["arm"] == arm]
        good = [r["e_d"] for r in own if r["e_d"] is not None]
        told = [signed(x) for x in (min(good), float(np.median(good)))] if good else [None, None]
        lines.append((arm, len(own), len(good), *told, results["costs"][arm]))
    heads = ("arm", "asked for", "relaxed", "lowest E_d, eV/atom", "median E_d", "CPU s each")
    volts: list[tuple[Any, ...]] = []
    for host in dict.fromkeys(r["host"] for r in results["electrodes"]):
        own = {r["ion"]: r for r in results["electrodes"] if r["host"] == host}
        cells = [
            None if ion not in own or own[ion]["voltage"] is None else f"{own[ion]['voltage']:.2f}" for ion in IONS
        ]
        known = ", ".join(f"{ion} {v}" for (name, ion), v in MEASURED.items() if name == host) or None
        volts.append((host, *cells, known, sum(r["seconds"] for r in own.values())))
    return {
        "conductor": f"{results['formula']}.\n\n" + table(heads, lines),
        "electrodes": table(("host", *(f"{ion}, V" for ion in IONS), "measured, V", "CPU s"), volts),
    }


STUDY = Study("intercalation", compute, tables)

if __name__ == "__main__":
    STUDY.main(__doc__)
