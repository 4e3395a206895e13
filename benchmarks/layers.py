"""How far apart are layers? Layered crystals relaxed with and without D3, against measured distances.

    python benchmarks/layers.py [--potentials chgnet chgnet-r2scan sevennet-l3i5]

Each begins 8 % too wide and keeps its symmetry. Measured distances of layers, half of c at room temperature: graphite
3.354 Å, h-BN 3.331 Å, 2H-MoS2 6.147 Å. Prints Markdown.
"""

from __future__ import annotations

import argparse
import warnings

from pymatgen.core import Lattice, Structure

from chggen import relax

CASES = {
    "graphite": (2.464, 3.354, 194, ["C", "C"], [[0, 0, 0.25], [1 / 3, 2 / 3, 0.25]]),
    "h-BN": (2.504, 3.331, 194, ["B", "N"], [[1 / 3, 2 / 3, 0.25], [1 / 3, 2 / 3, 0.75]]),
    "2H-MoS2": (3.161, 6.147, 194, ["Mo", "S"], [[1 / 3, 2 / 3, 0.25], [1 / 3, 2 / 3, 0.621]]),
}


def crystal(a: float, gap: float, group: int, species: list[str], sites: list[list[float]]) -> Structure:
    wide = 1.08
    moved = [[x, y, 0.75 - (0.75 - z) / wide if z > 0.5 and z != 0.75 else z] for x, y, z in sites]
    return Structure.from_spacegroup(group, Lattice.hexagonal(a, 2 * gap * wide), species, moved)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--potentials", nargs="+", default=["chgnet", "chgnet-r2scan", "sevennet-l3i5"])
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"| potential | {' | '.join(CASES)} |\n|---|{'---|' * len(CASES)}")
    print(f"| measured | {' | '.join(f'{gap:.2f}' for _, gap, *_ in CASES.values())} |")
    for name in (each for base in args.potentials for each in (base, f"{base}+d3")):
        done = relax(
            [crystal(*case) for case in CASES.values()], potential=name, fmax=0.005, fix_symmetry=0.01, max_steps=1000
        )
        told = [f"{r.structure.lattice.c / 2:.2f}" if r.converged else "not converged" for r in done]
        print(f"| `{name}` | {' | '.join(told)} |")


if __name__ == "__main__":
    main()
