"""The picture of the README from a results folder: what was left after each step, and the decomposition energies.

python benchmarks/demo_figure.py runs/demo docs/demo.png      (matplotlib comes with pymatgen)
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

from chggen.report import remaining
from chggen.results import read_candidates

COLORS = {"generate": "#4c78a8", "inpaint": "#f58518"}


def main() -> None:
    candidates = read_candidates(Path(sys.argv[1]))
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), constrained_layout=True)
    for shift, stage in enumerate(COLORS):
        labels, counts = remaining([c for c in candidates if c.stage == stage])
        places = [k + 0.4 * shift - 0.2 for k in range(len(labels))]
        bars = left.bar(places, counts, width=0.4, color=COLORS[stage], label=stage)
        left.bar_label(bars, fontsize=7)
        left.set_xticks(range(len(labels)), labels, rotation=30, ha="right")
        values = [c.e_decomposition for c in candidates if c.stage == stage and c.e_decomposition is not None]
        right.hist(values, bins=[0.02 * k - 0.1 for k in range(26)], color=COLORS[stage], alpha=0.75, label=stage)
    left.set_ylabel("candidates")
    right.axvline(0, color="k", linestyle=":", linewidth=1)
    right.set_xlabel("decomposition energy, eV/atom (CHGNet)")
    right.set_ylabel("candidates")
    for axis in (left, right):
        axis.margins(y=0.2)  # room for the legend
        axis.legend(frameon=False, ncols=2, loc="upper right")
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(sys.argv[2], dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    main()
