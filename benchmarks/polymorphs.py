"""Do potentials put polymorphs in order? Thirty pairs of which one is stable at room temperature, or below, is known.

    python benchmarks/polymorphs.py DATA [--potentials chgnet sevennet-l3i5 …] [--out FOLDER]

The pairs stand in benchmarks/data/polymorphs.csv, chosen before any of them was computed: which is stable at normal
pressure is in textbooks. Structures are those of DATA (Materials Project, by id) or are written there by space group,
cell and sites. Each is relaxed with its symmetry kept, by each potential; the order is right where the stable one lies
lower. Prints Markdown: how much higher the other one lies, meV/atom. What is computed is kept in FOLDER.
"""

from __future__ import annotations

import argparse
import csv
import warnings
from pathlib import Path

import numpy as np
from kept_rows import KeptRows
from pymatgen.core import Lattice, Structure

PAIRS = Path(__file__).parent / "data" / "polymorphs.csv"
DEFAULT = ("chgnet", "chgnet-r2scan", "sevennet-0", "sevennet-l3i5", "sevennet-mf-0-pbe", "sevennet-mf-0-r2scan")


def pairs() -> list[dict[str, str]]:
    with PAIRS.open() as file:
        return list(csv.DictReader(file))


def structure_of(text: str, data: Path) -> Structure:
    """The structure of an id, or of `group; a b c α β γ; symbol x y z; …`."""
    if not text.startswith("mp-"):
        group, cell, *sites = (part.strip() for part in text.split(";"))
        species, *_ = zip(*(site.split() for site in sites), strict=True)
        frac = [[float(x) for x in site.split()[1:]] for site in sites]
        lattice = Lattice.from_parameters(*map(float, cell.split()))
        return Structure.from_spacegroup(int(group), lattice, species, frac, tol=0.01).get_primitive_structure()
    crystals = np.load(data / "mp_structures.npz")
    (i,) = np.flatnonzero(crystals["ids"] == text)
    part = slice(*crystals["offsets"][i : i + 2])
    frac = crystals["frac"][part].astype(float)
    return Structure(Lattice.from_parameters(*crystals["cell"][i]), crystals["Z"][part], frac)


def height_of(k: int, potential: str, data: Path) -> dict[str, object]:
    """By how much the other one of a pair lies higher than the stable one, eV/atom; None where one did not relax."""
    import torch

    from chggen import relax

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    pair = pairs()[k]
    given = [structure_of(pair[name], data) for name in ("structure", "other_structure")]
    stable, other = relax(given, potential=potential, fmax=0.02, max_steps=1000, fix_symmetry=0.05)
    done = stable.converged and other.converged
    height = other.energy_per_atom - stable.energy_per_atom if done else None
    return {"pair": k, "potential": potential, "height": height}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--potentials", nargs="+", default=list(DEFAULT))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/polymorphs"))
    args = parser.parse_args()
    kept = KeptRows(args.out / "rows.jsonl")
    done = {(r["pair"], r["potential"]) for r in kept.rows}
    asked = [(k, name, args.data) for name in args.potentials for k in range(len(pairs()))]
    kept.compute(height_of, [job for job in asked if job[:2] not in done], args.workers)
    heights = {(r["pair"], r["potential"]): r["height"] for r in kept.rows}
    print(f"| | stable | other | {' | '.join(f'`{name}`' for name in args.potentials)} |")
    print(f"|---|---|---|{'---|' * len(args.potentials)}")
    for k, pair in enumerate(pairs()):
        own = [heights[k, name] for name in args.potentials]
        told = ["–" if x is None else f"{'' if x > 0 else '**'}{1000 * x:+.0f}{'' if x > 0 else '**'}" for x in own]
        print(f"| {pair['formula']} | {pair['stable']} | {pair['other']} | {' | '.join(told)} |")
    right = [sum((heights[k, name] or 0) > 0 for k in range(len(pairs()))) / len(pairs()) for name in args.potentials]
    print(f"| | | **order right** | {' | '.join(f'**{100 * x:.0f} %**' for x in right)} |")


if __name__ == "__main__":
    main()
