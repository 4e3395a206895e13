"""De novo candidates of Zn-P-S and Li-Si: how far CHGNet moves them, and how much energy it takes out.

    python benchmarks/de_novo.py [--n 8] [--quality best]

Random Bravais cells at the volume of the composition model, all atoms sampled, then relaxed with their cells. Medians
over the candidates whose relaxation converged, with how many there were of those asked for. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import chggen

FORMULAS = {
    "Zn-P-S": ("ZnPS3", "ZnP2S6", "Zn3P2S8", "ZnP2S4"),
    "Li-Si": ("LiSi", "Li12Si7", "Li5Si2", "Li15Si4"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=8, help="candidates of each formula")
    parser.add_argument("--quality", default="best")
    parser.add_argument("--model", type=Path)
    args = parser.parse_args()
    print(
        "| system | asked for | converged | moved, Å | energy drop, eV/atom | E_d, eV/atom |\n|---|---|---|---|---|---|"
    )
    for system, formulas in FORMULAS.items():
        made = [
            c
            for formula in formulas
            for c in chggen.generate(formula, n=args.n, seed=0, quality=args.quality, model=args.model)
        ]
        good = [c for c in made if c.converged]
        moved = np.median([c.relax_rmsd for c in good])
        drop = -np.median([c.relax_energy_change for c in good])
        above = np.median([c.e_decomposition for c in good if c.e_decomposition is not None])
        print(f"| {system} | {len(made)} | {len(good)} | {moved:.2f} | {drop:.2f} | {above:.2f} |", flush=True)


if __name__ == "__main__":
    main()
