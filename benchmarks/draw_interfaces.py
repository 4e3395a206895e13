"""The figure of interfaces.py: energies against relaxations, and the lowest interface of each arm from the side.

python benchmarks/draw_interfaces.py FOLDER docs/images/interface_lps_lco.svg
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from interfaces import ARMS, interface_energies
from pymatgen.core import Structure

LINES: Final = {"program": "#1b6ca8", "random": "#999999", "raffle": "#d1495b"}
ATOMS: Final = {  # colour and size of a circle
    "Li": ("#7bc96f", 30), "P": ("#e08e2b", 45), "S": ("#f2d024", 60), "Co": ("#3b5ba9", 45), "O": ("#d62828", 40),
}  # fmt: skip
ROOM: Final = 7.0  # Å shown on both sides of the gap


def draw_energies(axes: Any, rows: list[dict[str, Any]], arms: list[str]) -> None:
    """The energy of each relaxation, and the lowest so far as a line."""
    for arm in arms:
        energies = interface_energies(rows, arm)
        number = np.arange(1, len(energies) + 1)
        axes.plot(number, energies, "o", color=LINES[arm], ms=5)
        axes.step(number, np.fmin.accumulate(energies), where="post", color=LINES[arm], label=arm)
    axes.set_xlabel("relaxations")
    axes.set_ylabel("interface energy, J/m²")
    axes.set_xticks(number)
    axes.legend(frameon=False)


def draw_side(axes: Any, structure: Structure, title: str) -> None:
    """Atoms near the gap, seen along the second axis; those that were put in have a black rim."""
    n_host = len(structure) - 16
    at = structure.frac_coords % 1 @ structure.lattice.matrix
    heights = at[:, 2]
    middle = heights[n_host:].mean()
    shown = np.flatnonzero(np.abs(heights - middle) < ROOM)
    for k in sorted(shown, key=lambda k: at[k, 1]):
        colour, size = ATOMS[structure[int(k)].specie.symbol]
        axes.scatter(at[k, 0], heights[k] - middle, s=size, color=colour, edgecolor="black" if k >= n_host else "white",
                     linewidth=1.1 if k >= n_host else 0.4)  # fmt: skip
    axes.set_aspect("equal")
    axes.set_title(title, fontsize=9)
    axes.set_xlabel("Å")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("file", type=Path)
    args = parser.parse_args()
    rows = [json.loads(line) for line in (args.folder / "rows.jsonl").read_text().splitlines()]
    arms = [arm for arm in ARMS if any(row["arm"] == arm for row in rows)]
    mpl.rcParams["svg.hashsalt"] = "interfaces"  # the same file each time
    figure, panels = plt.subplots(
        1, 1 + len(arms), figsize=(3.2 + 2.4 * len(arms), 3.6), width_ratios=[1.5] + [1] * len(arms)
    )
    draw_energies(panels[0], rows, arms)
    for axes, arm in zip(panels[1:], arms, strict=True):
        energies = interface_energies(rows, arm)
        lowest = int(np.nanargmin(energies))
        structure = Structure.from_dict(json.loads((args.folder / f"{arm}-{lowest}.json").read_text()))
        draw_side(axes, structure, f"{arm}, {energies[lowest]:.2f} J/m²")
    panels[1].set_ylabel("height, Å")
    panels[-1].legend(
        handles=[mpl.lines.Line2D([], [], marker="o", ls="", color=c, label=s) for s, (c, _) in ATOMS.items()],
        frameon=False, loc="center left", bbox_to_anchor=(1, 0.5),
    )  # fmt: skip
    figure.tight_layout()
    figure.savefig(args.file, metadata={"Date": None})


if __name__ == "__main__":
    main()
