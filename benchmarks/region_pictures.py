"""The pictures and numbers of docs/how-to/region-examples.md: a hole healed, adsorbates on slabs, defects.

    python benchmarks/region_pictures.py --out FOLDER [--only hole,oxygen,water,vacancy,interstitial]

Every run is one of `chggen.inpaint` by CHGNet with the options of the page. Results go to FOLDER and are resumed
from there; pictures go to docs/images/region_NAME.svg. Prints what the page says in numbers.
"""

from __future__ import annotations

import argparse
import re
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from ase import Atoms
from ase.build import bulk, fcc111, surface
from ase.data import covalent_radii
from ase.data.colors import jmol_colors
from ase.visualize.plot import plot_atoms
from pymatgen.core import Structure

import chggen
from chggen.io import as_structure
from chggen.regions import atoms_of
from chggen.results import Candidate

IMAGES = Path(__file__).parent.parent / "docs" / "images"
MAGNESIA = as_structure(bulk("MgO", "rocksalt", a=4.21, cubic=True))
COPPER = as_structure(bulk("Cu", "fcc", a=3.61, cubic=True))
PALE = 0.65  # share of white in the atoms of the host
ACROSS = "-80x,-12y,0z"  # a view from the side, as ASE writes rotations
ABOVE = "0x"
Panel = tuple[str, Structure, np.ndarray, str]  # title, structure, which atoms are bright, view


def inpaint(host: Structure, folder: Path, **options: Any) -> list[Candidate]:
    """The candidates of a run, best first; how it went is printed."""
    began = time.process_time()
    found = chggen.inpaint(host, out=folder, workers=1, fix_cell=True, **options)
    print(f"{folder.name}: {time.process_time() - began:.0f} CPU-s")
    for c in found:
        print(f"  {c.id} {c.status} {c.seed_source} {c.e_insertion} {c.relax_steps} {c.reason or ''}")
    return found


def draw(name: str, panels: list[Panel]) -> None:
    """Draw structures side by side on one scale, guests in full colour and the host pale."""
    figure, axes = plt.subplots(1, len(panels), figsize=(2.6 * len(panels), 3.0), constrained_layout=True)
    for axis, (title, structure, bright, view) in zip(axes, panels, strict=True):
        numbers = np.array([site.specie.Z for site in structure])
        white = np.where(bright, 0.0, PALE)[:, None]
        plot_atoms(
            Atoms(numbers, structure.cart_coords), axis, radii=0.45 * covalent_radii[numbers] + 0.25, rotation=view,
            colors=(1 - white) * jmol_colors[numbers] + white, show_unit_cell=0,
        )  # fmt: skip
        axis.set_title(title, fontsize=10)
        axis.set_axis_off()
    wide, high = (max(limits) for limits in zip(*((a.get_xlim()[1], a.get_ylim()[1]) for a in axes), strict=True))
    for axis in axes:
        axis.set(xlim=(0, wide), ylim=(0, high))
    file = IMAGES / f"region_{name}.svg"
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)
    file.write_text(re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", file.read_text()))  # half the size


def steps(host: Structure, taken: np.ndarray, made: Candidate) -> list[Panel]:
    """What was given without what was taken out, what was filled in, and what that relaxed to."""
    assert made.raw is not None
    assert made.structure is not None
    left, filled, relaxed = host.copy(), made.raw.copy(), made.structure.copy()
    left.remove_sites(np.flatnonzero(taken).tolist())
    guests = np.array(made.raw.site_properties["guest"])
    none = np.zeros(len(left), dtype=bool)
    return [
        ("before", left, none, ACROSS),
        ("filled", filled, guests, ACROSS),
        ("relaxed", relaxed, guests, ACROSS),
    ]


def on_slab(name: str, slab: Structure, made: Candidate) -> None:
    """Draw an adsorbate on a slab, in the middle of the cell, from the side step by step, then from above."""
    panels = steps(slab, np.zeros(len(slab), dtype=bool), made)
    _, relaxed, guests, _ = panels[-1]
    first = relaxed[int(np.flatnonzero(guests)[0])].frac_coords
    for _, structure, *_ in panels:
        structure.translate_sites(range(len(structure)), [*(0.52 - first[:2]), 0])
    draw(name, [*panels, ("relaxed, from above", relaxed, guests, ABOVE)])


def layer(panel: Panel, height: float) -> Panel:
    """What of a panel lies within 1 Å of a height, from above."""
    title, structure, bright, _ = panel
    near = np.abs(structure.cart_coords[:, 2] - height) < 1.0
    return title, Structure.from_sites([structure[k] for k in np.flatnonzero(near)]), bright[near], ABOVE


def hole(out: Path) -> None:
    """A sphere of MgO taken out and put back: once by the pattern, once by the network alone."""
    whole = MAGNESIA.copy()
    whole.make_supercell([2, 2, 2])
    words = "sphere 0.5 0.5 0.5 3.5"
    print(int(atoms_of(words, whole).sum()), "of", len(whole), "atoms taken out")
    inpaint(MAGNESIA, out / "hole-pattern", supercell=(2, 2, 2), remove=words, n=1)
    found = inpaint(MAGNESIA, out / "hole", supercell=(2, 2, 2), remove=words, guests_from="anywhere", n=4)
    draw("hole", steps(whole, atoms_of(words, whole), found[0]))


def oxygen(out: Path) -> None:
    """An oxygen atom on Cu(111)."""
    atoms = fcc111("Cu", (3, 3, 4), a=3.61, vacuum=8.0)
    atoms.pbc = True
    slab, top = as_structure(atoms), float(atoms.positions[:, 2].max())
    found = inpaint(slab, out / "oxygen", guests={"O": 1}, region=f"z {top + 0.3:.2f} {top + 3:.2f}", hold="0-17", n=4)
    on_slab("oxygen", slab, found[0])


def water(out: Path) -> None:
    """Two water molecules on MgO(001)."""
    atoms = surface(bulk("MgO", "rocksalt", a=4.21, cubic=True), (0, 0, 1), 2, vacuum=8.0).repeat((2, 2, 1))
    slab, top = as_structure(atoms), float(atoms.positions[:, 2].max())
    low = float(atoms.positions[:, 2].min())
    where, hold = f"z {top + 1:.2f} {top + 4.5:.2f}", f"z {low - 0.5:.2f} {low + 2.6:.2f}"
    inpaint(slab, out / "water-one", guests={"H2O": 1}, region=where, hold=hold, n=8)
    inpaint(slab, out / "water-unchosen", guests={"H2O": 1}, region=where, hold=hold, n=8, judge="score")
    found = inpaint(slab, out / "water", guests={"H2O": 2}, region=where, hold=hold, n=8)
    on_slab("water", slab, found[0])


def vacancy(out: Path) -> None:
    """The neutral oxygen vacancy of MgO: an atom and its six neighbours taken out, the neighbours put back."""
    for cells in (2, 3):
        centre = f"{0.5 / cells:.6f} " * 3
        found = inpaint(
            MAGNESIA, out / f"vacancy-{cells}", supercell=(cells,) * 3, remove=f"sphere {centre}2.3",
            guests={"Mg": 6}, n=4,
        )  # fmt: skip
        print(f"oxygen vacancy of MgO in {8 * cells**3} atoms: {found[0].e_insertion} eV")


def interstitial(out: Path) -> None:
    """A copper atom too many: a sphere of 13 taken out, 14 put back."""
    whole = COPPER.copy()
    whole.make_supercell([3, 3, 3])
    words = "sphere 0.5 0.5 0.333333 2.7"
    taken = atoms_of(words, whole)
    print(int(taken.sum()), "atoms taken out")
    options: dict[str, Any] = {"supercell": (3, 3, 3), "remove": words, "fmax": 0.05}
    inpaint(COPPER, out / "copper-vacancy", guests={"Cu": int(taken.sum()) - 1}, n=2, **options)
    found = inpaint(COPPER, out / "interstitial", guests={"Cu": int(taken.sum()) + 1}, n=8, **options)
    assert found[0].structure is not None
    apart = found[0].structure.distance_matrix + 9 * np.eye(len(whole) + 1)
    i, j = divmod(int(apart.argmin()), len(apart))
    _, image = found[0].structure.lattice.get_distance_and_image(*found[0].structure.frac_coords[[i, j]])
    along = found[0].structure[j].frac_coords + image - found[0].structure[i].frac_coords
    print("closest pair", apart[i, j], "Å along", np.round(found[0].structure.lattice.get_cartesian_coords(along), 2))
    height = float(found[0].structure[i].coords[2])
    draw("interstitial", [layer(panel, height) for panel in steps(whole, taken, found[0])])


EXAMPLES: dict[str, Callable[[Path], None]] = {
    example.__name__: example for example in (hole, oxygen, water, vacancy, interstitial)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", default=",".join(EXAMPLES))
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in args.only.split(","):
        EXAMPLES[name](args.out)


if __name__ == "__main__":
    main()
