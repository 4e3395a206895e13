"""Check that a change of the code leaves every candidate as it was: 30 small runs, recorded and compared.

    python benchmarks/same_candidates.py record BEFORE.json.gz        # with the code as it was
    python benchmarks/same_candidates.py record AFTER.json.gz         # with the code as it is
    python benchmarks/same_candidates.py compare BEFORE.json.gz AFTER.json.gz

The runs cover predict, generate, inpaint, relax and hull with their main options. Two recordings agree when every
candidate has the same id, status, space group and lineage, raw structures agree to 1e-6 Å and energies to
1e-6 eV/atom. Records made by other kinds of processors may differ in the last digits of a score, and so by more.
"""

from __future__ import annotations

import argparse
import gzip
import inspect
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.core import Lattice, Structure

import chggen

ANGSTROM = 1e-6
EV_PER_ATOM = 1e-6
EARLIER_NAMES = {"cells_from": "seeds", "guests_from": "seeds", "learned": "joint"}


def rutile() -> Structure:
    return Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.62, 2.97), ["Ti", "O"], [[0, 0, 0], [0.3048, 0.3048, 0]]
    )


def layered() -> Structure:
    """CoO2 as in LiCoO2 without its lithium, the primitive cell."""
    full = Structure.from_spacegroup("R-3m", Lattice.hexagonal(2.83, 14.1), ["Co", "O"], [[0, 0, 0], [0, 0, 0.2605]])
    return full.get_primitive_structure()


def olivine() -> Structure:
    cell = Lattice.orthorhombic(9.95, 5.92, 4.87)
    sites = [
        [0.276, 0.25, 0.952],
        [0.093, 0.25, 0.396],
        [0.118, 0.25, 0.712],
        [0.442, 0.25, 0.155],
        [0.168, 0.044, 0.25],
    ]
    return Structure.from_spacegroup("Pnma", cell, ["Fe", "P", "O", "O", "O"], sites)


def spinel() -> Structure:
    full = Structure.from_spacegroup(
        "Fd-3m", Lattice.cubic(8.24), ["Mn", "O"], [[0.625, 0.625, 0.625], [0.3883, 0.3883, 0.3883]]
    )
    return full.get_primitive_structure()


def salt(strained: float = 1.0) -> Structure:
    return Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.69 * strained), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )


def shaken(structure: Structure, seed: int) -> Structure:
    moved = structure.copy()
    rng = np.random.default_rng(seed)
    step = rng.standard_normal((len(moved), 3)) * 0.1
    return Structure(moved.lattice, moved.species, moved.cart_coords + step, coords_are_cartesian=True)


def now(call: Callable[..., Any], options: dict[str, Any]) -> dict[str, Any]:
    """The options by the names that this version of chggen has for them."""
    known = inspect.signature(call).parameters
    if "seeds" not in known:
        return options
    earlier = {EARLIER_NAMES.get(key, key): value for key, value in options.items()}
    if "seeds" in earlier and not isinstance(earlier["seeds"], str):
        earlier["seeds"] = [EARLIER_NAMES.get(source, source) for source in earlier["seeds"]]
    return earlier


def predict(formula: str = "", **options: Any) -> list[Any]:
    return [described(c) for c in chggen.predict(formula, **now(chggen.predict, options))]


def generate(formula: str, **options: Any) -> list[Any]:
    return [described(c) for c in chggen.generate(formula, **now(chggen.generate, options))]


def inpaint(host: Structure, guests: dict[str, int], **options: Any) -> list[Any]:
    return [described(c) for c in chggen.inpaint(host, guests, **now(chggen.inpaint, options))]


def relax(structures: list[Structure], **options: Any) -> list[Any]:
    return [
        {"energy": r.energy_per_atom, "told": [r.converged, r.n_steps, r.reason], "raw": cell_of(r.structure)}
        for r in chggen.relax(structures, **options)
    ]


def hull(*formulas: tuple[str, float], **options: Any) -> list[Any]:
    found = [chggen.hull(formula, energy, **options) for formula, energy in formulas]
    return [{"energy": p.e_decomposition, "told": [p.products]} for p in found]


def described(candidate: Any) -> dict[str, Any]:
    told = ("id", "parent", "stage", "status", "failed_at", "space_group", "space_group_loose", "known_as",
            "duplicate_of", "n_found", "relax_steps", "decomposition_products")  # fmt: skip
    finer = candidate.energies.get("r2scan") if hasattr(candidate, "energies") else candidate.energy_per_atom_r2scan
    return {
        "told": [getattr(candidate, name) for name in told],
        "energy": candidate.energy_per_atom,
        "e_decomposition": candidate.e_decomposition,
        "energy_r2scan": finer,
        "raw": None if candidate.raw is None else cell_of(candidate.raw),
    }


def cell_of(structure: Structure) -> dict[str, Any]:
    return {
        "lattice": structure.lattice.matrix.tolist(),
        "numbers": [site.specie.Z for site in structure],
        "cart": structure.cart_coords.tolist(),
    }


FAST = {"quality": "fast"}
SHORT = {"quality": "fast", "max_steps": 60}
RUNS: dict[str, Callable[[], list[Any]]] = {
    "predict ZnP2S6 as it comes": lambda: predict("ZnP2S6", guests=["Zn"], n=4, seed=0, **FAST),
    "predict Li3Si2 without r2scan": lambda: predict("Li3Si2", n=4, seed=1, second_level_below=None, **FAST),
    "predict a system": lambda: predict(system="Li-Si", n=2, seed=2, max_atoms=4, second_level_below=None, **SHORT),
    "predict between two": lambda: predict(
        system="Li-S-P", between=["Li2S", "P2S5"], n=1, seed=3, max_atoms=8, second_level_below=None, **SHORT
    ),
    "predict of drawn groups": lambda: predict("NaCl", n=2, seed=4, cells_from=["space-group"], **FAST),
    "predict of random cells": lambda: predict("MgO", n=2, seed=5, cells_from=["bravais"], symmetry="none", **FAST),
    "predict of learned cells": lambda: predict("LiF", n=2, seed=6, cells_from=["learned", "prototype"], **FAST),
    "predict without guests": lambda: predict("SiC", n=2, seed=7, **FAST),
    "generate random cells": lambda: generate("NaCl", n=6, seed=0, relax=False),
    "generate learned cells": lambda: generate("SrTiO3", n=3, seed=1, cells_from=["learned"], relax=False),
    "generate drawn groups": lambda: generate("NaCl", n=4, seed=0, space_group="auto", relax=False),
    "generate one group": lambda: generate("MgAl2O4", n=2, seed=2, space_group=227, formula_units=[2], relax=False),
    "generate learned shapes of a group": lambda: generate(
        "TiO2", n=2, seed=3, space_group=136, formula_units=[2], cells_from=["learned"], relax=False
    ),
    "generate prototypes": lambda: generate("CsPbI3", n=4, seed=4, cells_from=["prototype"], relax=False),
    "generate all sources": lambda: generate("Mg2Si", n=8, seed=5, cells_from=["auto"], **SHORT),
    "generate two sizes": lambda: generate("GaN", n=2, seed=6, formula_units=[1, 2], **SHORT),
    "generate best of four": lambda: generate("CaF2", n=2, seed=7, best_of=4, levels=20, relax=False),
    "generate with r2scan": lambda: generate("BN", n=2, seed=8, potential="chgnet-r2scan", **FAST),
    "inpaint raw": lambda: inpaint(rutile(), {"Li": 1}, n=3, seed=0, relax=False),
    "inpaint relaxed": lambda: inpaint(layered(), {"Li": 1}, n=3, seed=1, **FAST),
    "inpaint anywhere": lambda: inpaint(olivine(), {"Li": 4}, n=2, seed=2, guests_from="anywhere", relax=False, **FAST),
    "inpaint prototypes": lambda: inpaint(olivine(), {"Li": 4}, n=2, seed=3, guests_from="prototype", **FAST),
    "inpaint orbits": lambda: inpaint(spinel(), {"Li": 2}, n=2, seed=4, guests_from="orbits", **FAST),
    "inpaint on orbits": lambda: inpaint(spinel(), {"Li": 2}, n=2, seed=5, symmetry="host", **FAST),
    "inpaint the paper's way": lambda: inpaint(
        layered(), {"Li": 1}, n=1, seed=6, anchor="paper", levels=40, relax=False
    ),
    "inpaint a noised host": lambda: inpaint(layered(), {"Na": 1}, n=2, seed=7, anchor="renoise", relax=False),
    "inpaint a supercell": lambda: inpaint(
        layered(), {"Li": 1}, n=2, seed=8, supercell=(2, 1, 1), fix_cell=True, **FAST
    ),
    "inpaint two species": lambda: inpaint(rutile(), {"Li": 1, "H": 1}, n=2, seed=9, judge="score", **FAST),
    "relax": lambda: (
        relax([shaken(salt(1.03), 0), shaken(rutile(), 1), layered()])
        + relax([shaken(rutile(), 2)], fix_cell=True, fmax=0.05, optimizer="fire")
        + relax([salt(1.05)], fix_symmetry=0.1, pressure=5.0, potential="chgnet-r2scan")
    ),
    "hull": lambda: (
        hull(("ZnP2S6", -4.6), ("Li5Si2", -2.9), ("NaCl", -3.6), ("LiFePO4", -6.9))
        + hull(("Li5Si2", -6.0), level="r2scan")
    ),
}


def record(path: Path) -> None:
    """Run what is not in the file yet."""
    found = read(path) if path.exists() else {}
    for name in (n for n in RUNS if n not in found):
        began = time.perf_counter()
        found[name] = RUNS[name]()
        print(f"{time.perf_counter() - began:7.1f} s  {name}", flush=True)
        with gzip.open(path, "wt") as handle:
            json.dump(found, handle)


def read(path: Path) -> dict[str, list[Any]]:
    with gzip.open(path, "rt") as handle:
        return json.load(handle)


def differences(before: list[Any], after: list[Any]) -> tuple[list[str], float, float]:
    """What differs between two recordings of one run, the largest change of a raw structure (Å) and of an energy."""
    wrong = [] if len(before) == len(after) else [f"{len(before)} results were, {len(after)} are"]
    moved = energy = 0.0
    for one, other in zip(before, after, strict=False):
        if one["told"] != other["told"]:
            wrong.append(f"{one['told']} became {other['told']}")
        for key in (k for k in one if k.startswith("e")):
            a, b = one[key], other[key]
            if (a is None) != (b is None):
                wrong.append(f"{key} {a} became {b}")
            elif a is not None:
                energy = max(energy, abs(a - b))
        a, b = one.get("raw"), other.get("raw")
        if (a is None) != (b is None) or (a and a["numbers"] != b["numbers"]):
            wrong.append("another raw structure")
        elif a:
            moved = max(moved, *(float(np.abs(np.subtract(a[k], b[k])).max()) for k in ("lattice", "cart")))
    return wrong, moved, energy


def compare(before: Path, after: Path) -> bool:
    one, other = read(before), read(after)
    good = set(one) == set(other)
    print(
        "| run | results | largest change of a raw structure, Å | of an energy, eV/atom | else |\n|---|---|---|---|---|"
    )
    for name in one:
        wrong, moved, energy = differences(one[name], other.get(name, []))
        good &= not wrong and moved <= ANGSTROM and energy <= EV_PER_ATOM
        print(f"| {name} | {len(one[name])} | {moved:.1e} | {energy:.1e} | {'; '.join(wrong) or 'the same'} |")
    print(f"\n{'The same' if good else 'NOT the same'} candidates in {len(one)} runs.")
    return good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tasks = parser.add_subparsers(dest="task", required=True)
    tasks.add_parser("record").add_argument("file", type=Path)
    both = tasks.add_parser("compare")
    both.add_argument("before", type=Path)
    both.add_argument("after", type=Path)
    args = parser.parse_args()
    if args.task == "record":
        record(args.file)
    elif not compare(args.before, args.after):
        sys.exit(1)


if __name__ == "__main__":
    main()
