"""Locality bias (Fig. 2 of the paper): where does long-range order come from?

    python studies/locality.py [DATA] [--quick]

Cells of Li32P16S56 are made in six ways and compared with the known Li-P-S phases: distances Li-S and P-S, coordination
of Li and P, and how far order reaches. Known phases: the ternary ones of DATA/systems/Li-P-S; without DATA, what the
committed results keep of them. *free*: random cells, all atoms sampled; *paper*: the same by the paper's settings;
*relaxed*: the free ones after relaxation; *symmetric*: space groups drawn as known crystals have them; *inpainted*: Li
put into the P-S framework of the lowest symmetric crystal of Li4P2S7, repeated to 104 atoms; *prototype*: known
prototypes, which are not as large as that. All but *relaxed* are raw samples. Full: a quarter of an hour of CPU.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pymatgen.core import Structure
from runs import Run, asked_for, made
from study import COLORS, Asked, Results, Row, Study, table

import chggen
from chggen.io import named_structures
from chggen.symmetry import above_trivial, space_group

FORMULA = "Li4P2S7"
PAIRS, ELEMENTS = ("Li-S", "P-S"), ("Li", "P")


def compute(asked: Asked) -> Results:
    """Rows of all sets, each with what was made, what is kept of its functions, and its cost."""
    n, units = (2, 2) if asked.quick else (10, 8)
    free = {"n": n, "seed": 0, "formula_units": [units], "cells_from": ["bravais"]}
    small = {**free, "formula_units": [1, 2]}
    runs = made(asked.out, {
        "free": Run.of("generate", FORMULA, **free, relax=False),
        "paper": Run.of("generate", FORMULA, **free, relax=False, anchor="paper"),
        "relaxed": Run.of("generate", FORMULA, **free),
        "symmetric": Run.of("generate", FORMULA, **{**free, "cells_from": ["space-group"]}, relax=False),
        "prototype": Run.of("generate", FORMULA, **{**small, "cells_from": ["prototype"]}, relax=False),
        "small": Run.of("generate", FORMULA, **{**small, "cells_from": ["space-group"], "n": 2 * n}),
    })  # fmt: skip
    host, guests = repeated_framework(runs["small"][0], 13 * units)
    inpainted = Run.of("inpaint", host, guests={"Li": guests}, n=n, seed=0, relax=False)
    runs |= made(asked.out, {"inpainted": inpainted})
    runs["inpainted"] = runs["inpainted"][0], runs["inpainted"][1] + runs.pop("small")[1]
    rows, known = [], known_phases(asked.data)
    for name, (found, seconds) in runs.items():
        ends = asked_for(found)
        good = [c.structure for c in ends if c.structure is not None and c.status == "ok"]
        symmetric = sum(above_trivial(space_group(s, 0.1)) for s in good)
        rows.append({"set": name, "asked": len(ends), "made": len(good), "symmetric": symmetric, "seconds": seconds})
        rows[-1] |= inside(chggen.analyze(good), known)
    return {"quick": asked.quick, "known": known, "sets": rows}


def repeated_framework(found: chggen.Candidates, atoms: int) -> tuple[Structure, int]:
    """The framework of the lowest symmetric crystal, Li taken out, as often as makes so many atoms with Li."""
    good = [c for c in found if c.status == "ok" and c.structure is not None]
    best = min(good, key=lambda c: (not above_trivial(c.space_group_loose), c.energy_per_atom)).structure
    crystal, times = best.copy(), atoms // len(best)
    while times > 1:
        axes = [1, 1, 1]
        axes[min(range(3), key=lambda k: crystal.lattice.abc[k])] = 2
        crystal.make_supercell(axes)
        times //= 2
    guests = int(crystal.composition["Li"])
    crystal.remove_species(["Li"])
    return crystal, guests


def known_phases(data: Path | None) -> Row:
    """What is kept of the known ternary phases."""
    if data is None:
        return dict(json.loads(STUDY.kept.read_text())["known"])
    ternary = [s for s in named_structures([data / "systems" / "Li-P-S"]).values() if len(s.composition) == 3]
    return {"structures": len(ternary), **inside(chggen.analyze(ternary), None)}


def inside(found: Any, known: Row | None) -> Row:
    """What is kept of an analysis; and how much of the known phases' functions and shares it has."""
    said = found.to_dict()
    atoms = {row["element"]: row for row in said["environments"] if row["element"] in ELEMENTS}
    row = {
        "order": said["order"], "r": said["r"], "g": {pair: said["g"][pair] for pair in PAIRS},
        "peak": {row["pair"]: row["first_peak"] for row in said["pairs"] if row["pair"] in PAIRS},
        "numbers": {k: one["numbers"] for k, one in atoms.items()},
        "tetrahedra": {k: one["polyhedra"].get("T:4", 0.0) for k, one in atoms.items()},
    }  # fmt: skip
    if known is not None:
        both = {pair: list(zip(row["g"][pair], known["g"][pair], strict=True)) for pair in PAIRS}
        row["overlap"] = {k: sum(map(min, ab)) / sum(map(max, ab)) for k, ab in both.items()}
        row["shared"] = {
            k: sum(min(share, known["numbers"][k].get(number, 0)) for number, share in row["numbers"][k].items())
            for k in ELEMENTS
        }
    return row


def tables(results: Results) -> dict[str, str]:
    """One line for each set."""
    heads = (
        "set", "made", "above P1 and P-1", "Li-S, P-S peak, Å", "overlap of g(r) with known: Li-S, P-S",
        "P in tetrahedra", "Li in 4, 5, 6", "coordination as known: Li, P", "strongest reflection",
        "independent atoms", "CPU s each",
    )  # fmt: skip
    rows = []
    for row in [*results["sets"], {"set": "known phases", **results["known"]}]:
        li = row["numbers"]["Li"]
        compared = "overlap" in row
        rows.append((
            row["set"], f"{row['made']} of {row['asked']}" if compared else row["structures"],
            f"{100 * row['symmetric'] / row['asked']:.0f} %" if compared else None,
            ", ".join(f"{row['peak'][pair]:.2f}" for pair in PAIRS),
            ", ".join(f"{100 * row['overlap'][pair]:.0f} %" for pair in PAIRS) if compared else None,
            f"{100 * row['tetrahedra']['P']:.0f} %", " / ".join(f"{100 * li.get(k, 0):.0f}" for k in "456") + " %",
            ", ".join(f"{100 * row['shared'][k]:.0f} %" for k in ELEMENTS) if compared else None,
            f"{100 * row['order']['strongest']:.0f} %", f"{100 * row['order']['independent']:.0f} %",
            f"{row['seconds'] / row['asked']:.0f}" if compared else None,
        ))  # fmt: skip
    return {"sets": table(heads, rows)}


def draw(results: Results, figure: Any) -> None:
    """Radial distribution functions and coordination numbers, as in the paper's figure 2 c to f."""
    axes = figure.subplots(1, 4)
    sets = [("known", results["known"]), *((row["set"], row) for row in results["sets"])]
    for ax, pair in zip(axes, PAIRS, strict=False):
        for (name, row), color in zip(sets, COLORS, strict=False):
            ax.plot(row["r"], row["g"][pair], color=color, linewidth=1.6 if name == "known" else 0.8, label=name)
        ax.set(xlabel=f"{pair}, Å", ylabel="g(r)", xlim=(1.5, 6))
    for ax, symbol in zip(axes[2:], ELEMENTS, strict=True):
        for k, ((name, row), color) in enumerate(zip(sets, COLORS, strict=False)):
            x = [int(number) + (k - 3) * 0.12 for number in row["numbers"][symbol]]
            ax.bar(x, [100 * share for share in row["numbers"][symbol].values()], 0.12, color=color, label=name)
        ax.set(xlabel=f"coordination of {symbol}", ylabel="% of atoms", xlim=(1.5, 8.5))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=7)


STUDY = Study("locality", compute, tables, draw)

if __name__ == "__main__":
    STUDY.main(__doc__)
