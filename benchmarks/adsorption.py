"""Atoms on metals: does the program find the sites that are known?

    python benchmarks/adsorption.py --out FOLDER [--table]

O and H on Ni(100), Cu(111) and Pd(111), whose sites are known from experiment or density functional theory (`CASES`,
which were chosen before anything was computed). Slabs of ASE of 4 layers of 2 x 2 atoms, at the lattice constant of the
potential, with the two lower layers held; the region goes from 0.3 to 3 Å above the top layer. Arms, each with 8
relaxations by CHGNet in the same run and by the same options (fmax 0.05 eV/Å):

- program: `chggen.inpaint(slab, {"O": 1}, region=..., hold=...)`;
- random: the atom anywhere in the region, at least 0.5 of the sum of covalent radii from others;
- sites: the atom put by hand on every site of high symmetry, which tells the order that the potential itself has.

An atom is at a site if it lies within 0.4 Å of the ideal one along the surface, and above the top layer. Rows go to
FOLDER/rows.jsonl as they end; a run that was stopped goes on. Prints the table from the rows.
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.build import add_adsorbate, bulk, fcc100, fcc111
from kept_rows import KeptRows
from pymatgen.core import Structure

from chggen.io import as_structure
from chggen.regions import drawn_apart, region_of

N = 8  # relaxations of an arm
OPTIONS: dict[str, Any] = {"fix_cell": True, "fmax": 0.05}
LAYERS = 4
NEAR = 0.4  # Å along the surface
LOW, HIGH = 0.3, 3.0  # Å above the top layer
ARMS = ("sites", "program", "random")
SITES = {"100": ("ontop", "bridge", "hollow"), "111": ("ontop", "bridge", "fcc", "hcp")}
_ALONG = [np.array(step) for step in ((0.25, 0), (0, 0.25), (-0.25, 0.25))]  # to the middle between neighbours
BRIDGES = {"100": _ALONG[:2], "111": _ALONG}
HEIGHTS = {"ontop": 1.7, "bridge": 1.3, "hollow": 0.9, "fcc": 1.1, "hcp": 1.1}  # Å, where atoms begin


@dataclass(frozen=True)
class Case:
    """An atom on a surface, and the site where it is known to be."""

    atom: str
    metal: str
    plane: str
    site: str
    source: str

    @property
    def id(self) -> str:
        return f"{self.atom}/{self.metal}({self.plane})"


CASES = (
    Case("O", "Ni", "100", "hollow", "Demuth, Jepsen and Marcus, PRL 31, 540 (1973), LEED"),
    Case("H", "Ni", "100", "hollow", "Kresse and Hafner, Surf. Sci. 459, 287 (2000), DFT"),
    Case("O", "Cu", "111", "fcc", "Xu and Mavrikakis, Surf. Sci. 494, 131 (2001), DFT"),
    Case("H", "Cu", "111", "fcc", "Ferrin et al., Surf. Sci. 606, 679 (2012), DFT"),
    Case("O", "Pd", "111", "fcc", "Todorova, Reuter and Scheffler, J. Phys. Chem. B 108, 14477 (2004), DFT"),
    Case("H", "Pd", "111", "fcc", "Felter, Sowa and Van Hove, PRB 40, 891 (1989), LEED"),
)


@dataclass(frozen=True)
class Slab:
    """The slab of a case: clean, with its region, what is held, and its sites."""

    case: Case
    atoms: Atoms

    @classmethod
    def of(cls, case: Case) -> Slab:
        """The slab at the potential's own lattice constant."""
        import chggen

        (cell,) = chggen.relax([as_structure(bulk(case.metal, "fcc", cubic=True))], fmax=0.01)
        build = {"100": fcc100, "111": fcc111}[case.plane]
        atoms = build(case.metal, (2, 2, LAYERS), a=float(cell.structure.volume ** (1 / 3)), vacuum=8.0)
        atoms.pbc = True
        return cls(case, atoms)

    @property
    def top(self) -> float:
        return float(self.atoms.positions[:, 2].max())

    @property
    def region(self) -> str:
        return f"z {self.top + LOW:.3f} {self.top + HIGH:.3f}"

    @property
    def hold(self) -> str:
        return f"0-{len(self.atoms) // 2 - 1}"  # ASE's atoms go from the lowest layer to the top one

    def with_atom(self, site: str) -> Atoms:
        """The slab with the atom on a site."""
        made = self.atoms.copy()
        add_adsorbate(made, self.case.atom, HEIGHTS[site], site)
        return made

    def site_of(self, made: Structure) -> str:
        """The site where the last atom is; `none` for none, `below` for one that is under the top layer."""
        top = self.atoms.get_scaled_positions()[-4:]
        place = made[-1].frac_coords
        if (place[2] - top[0, 2]) * made.lattice.c < -0.5:
            return "below"
        apart = {}
        for site in SITES[self.case.plane]:
            steps = [self.with_atom(site).get_scaled_positions()[-1, :2] - top[0, :2]]
            if site == "bridge":
                steps = [
                    np.array(step) for step in ((0.25, 0), (0, 0.25), (-0.25, 0.25))[: 3 - (self.case.plane == "100")]
                ]
            ideal = [[*(atom[:2] + step), place[2]] for atom in top for step in steps]
            apart[site] = float(made.lattice.get_all_distances([place], ideal).min())
        nearest = min(apart, key=lambda site: apart[site])
        return nearest if apart[nearest] <= NEAR else "none"


def rows_of(number: int, case: Case) -> list[dict[str, Any]]:
    """What the arms make of a case."""
    import chggen

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    slab = Slab.of(case)
    clean = as_structure(slab.atoms)
    (bare,) = chggen.relax([clean], hold=slab.hold, **OPTIONS)
    rows = []
    for arm in ARMS:
        began = time.process_time()
        inserted: list[float | None] = []
        if arm == "program":
            made = chggen.inpaint(
                clean, {case.atom: 1}, region=slab.region, hold=slab.hold, n=N, seed=number, workers=1, **OPTIONS
            )
            ends = [(c.structure, c.energy_per_atom if c.status == "ok" else None) for c in made]
            inserted = [c.e_insertion for c in made if c.e_insertion is not None]
        else:
            if arm == "sites":
                starts = [as_structure(slab.with_atom(site)) for site in SITES[case.plane]]
            else:
                rng = np.random.default_rng([11, number])
                starts = [random_start(clean, case.atom, slab.region, rng) for _ in range(N)]
            relaxed = chggen.relax(starts, hold=slab.hold, **OPTIONS)
            ends = [(end.structure, end.energy_per_atom if end.converged else None) for end in relaxed]
        rows.append({
            "id": case.id, "arm": arm, "energies": [None if e is None else e * (len(clean) + 1) for _, e in ends],
            "sites": [None if s is None else slab.site_of(s) for s, _ in ends], "bare": bare.energy_per_atom,
            "inserted": min(inserted, default=None), "s": time.process_time() - began,
        })  # fmt: skip
    return rows


def random_start(clean: Structure, atom: str, words: str, rng: np.random.Generator) -> Structure:
    """The rival: the atom at random in the region, no closer to others than guests of the program are drawn."""
    made = clean.copy()
    made.append(atom, drawn_apart(clean, {atom: 1}, {"": region_of(words, clean)}, rng)[0])
    return made


def print_table(rows: list[dict[str, Any]]) -> None:
    by = {(row["id"], row["arm"]): row for row in rows}
    print("| atom | known site | arm | site of the lowest of 8 | of 8 at the known site | lowest, eV | CPU-s |")
    print("|---|---|---|---|---|---|---|")
    for case in CASES:
        known = by.get((case.id, "sites"))
        if known is None:
            continue
        zero = min(e for e in by[case.id, "program"]["energies"] if e is not None)
        inserted = by[case.id, "program"]["inserted"]
        for arm in ("program", "random"):
            row = by[case.id, arm]
            good = [(e, s) for e, s in zip(row["energies"], row["sites"], strict=True) if e is not None]
            low, at = min(good)
            there = sum(site == case.site for _, site in good)
            energy = "" if inserted is None else f"{inserted + low - zero:.3f}"
            print(f"| {case.id} | {case.site} | {arm} | {at} | {there} | {energy} | {row['s']:.0f} |")
    print("\n| atom | known site | energies of the sites above the lowest, eV | source of the known site |")
    print("|---|---|---|---|")
    for case in CASES:
        if (row := by.get((case.id, "sites"))) is None:
            continue
        low = min(e for e in row["energies"] if e is not None)
        named = [
            f"{started} {e - low:.3f}" + ("" if ended == started else f" (went to {ended})")
            for started, ended, e in zip(SITES[case.plane], row["sites"], row["energies"], strict=True)
            if e is not None
        ]
        print(f"| {case.id} | {case.site} | {', '.join(named)} | {case.source} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="print the table of the rows alone")
    args = parser.parse_args()
    kept = KeptRows(args.out / "rows.jsonl")
    if not args.table:
        done = {row["id"] for row in kept.rows}
        kept.compute(rows_of, [entry for entry in enumerate(CASES) if entry[1].id not in done], args.workers)
    print_table(kept.rows)


if __name__ == "__main__":
    main()
