"""Symmetry by construction against symmetry found afterwards: success and decomposition energy, four arms.

    python benchmarks/symmetry.py [--n 12] [--kinds free symmetric] [--formulas ZnP2S6:1,2,3,4 ...] [--quality best]
        [--figure docs/symmetry.png] [--out FOLDER] [--workers 2] [--count]

Arms: *de novo free*, random Bravais cells; *de novo symmetric*, space groups and positions drawn as known crystals
have them; *inpainting free* and *symmetric*, the guests taken out of those crystals, the framework symmetrised, and
guests put back anywhere or on orbits of its group. A structure asked for is a success if, relaxed and refined, its
space group is above P1 and P-1; whatever fails on the way counts as asked for and not as a success. E_d in eV/atom,
over all that relaxed. Symmetric candidates are relaxed twice, since each is pushed off its symmetry, and some are
drawn anew: free arms ask for twice as many structures; the relaxations of all arms stand in the table. Li-Si:
compositions of more Li than Si up to 25 atoms. A run that was killed goes on where it was. Prints Markdown tables.
About half an hour on two cores. --count: instead, what a structure asked for costs in evaluations of CHGNet, energies
alone (which judge tries) and energies with forces, in runs of their own by one process.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np

import chggen
from chggen.campaign import outcome
from chggen.crystals import parse_formula
from chggen.potential.chgnet import ChgnetPotential
from chggen.results import Candidate
from chggen.symmetry import above_trivial

FORMULAS = (
    ("ZnP2S6", "Zn", (1, 2, 3, 4)), ("Zn2P2S7", "Zn", (1, 2, 3, 4)),
    ("Li3Si2", "Li", (1, 3, 5)), ("Li7Si3", "Li", (1, 2)), ("Li15Si4", "Li", (1,)), ("Li4Si", "Li", (3, 5)),
)  # fmt: skip
KINDS = {"free": ("bravais", "none", 2), "symmetric": ("space-group", "host", 1)}  # cells from, symmetry, times as many
SIZES = ((1, 12), (13, 24), (25, 40), (41, 44))  # atoms
# Bars of the paper's figure 6 and of MatterGen, as published, are not made here.


@dataclass(frozen=True)
class Asked:
    """What became of a structure that was asked for; None where nothing was made."""

    arm: str
    formula: str
    n_atoms: int
    final: Candidate | None
    relaxations: int  # of its own draws, pushes off the symmetry counted


def draws_of(name: str, made: dict[str, Candidate]) -> list[Candidate]:
    """The first draw of a structure asked for and those that followed it."""
    return [made[i] for i in (name, *(f"{name}-r{k}" for k in range(1, 10))) if i in made]


def final_of(name: str, made: dict[str, Candidate]) -> Candidate | None:
    """What became of it, as the program sees it; the last draw where nothing good came."""
    draws = draws_of(name, made)
    return outcome([c.id for c in draws], made) or (draws[-1] if draws else None)


def relaxations(name: str, made: dict[str, Candidate], symmetric: bool) -> int:
    relaxed = [c for c in draws_of(name, made) if c.failed_at not in ("draw", "sample", "screen", "refine")]
    pushed = [c for c in relaxed if symmetric and c.energy_per_atom is not None]
    return len(relaxed) + len(pushed)


def run(formula: str, guest: str, z: int, kind: str, n: int, quality: str, out: Path, **settings) -> list[Asked]:
    """Everything asked for in one cell size by one kind of arm, de novo and inpainted."""
    cells_from, symmetry, times = KINDS[kind]
    found = chggen.predict(
        formula, [guest], n=n * times, formula_units=[z], cells_from=[cells_from], symmetry=symmetry, per_framework=1,
        quality=quality, out=out / f"{formula}-{z}-{kind}", seed=0, **settings,
    )  # fmt: skip
    made = {c.id: c for c in found}
    size = z * sum(parse_formula(formula).values())
    asked = []
    for k in range(n * times):
        name = f"{formula}-z{z}-{k:04d}"
        parent = final_of(name, made)
        own = relaxations(name, made, kind == "symmetric")
        asked.append(Asked(f"de novo {kind}", formula, size, parent, own))
        name = f"{parent.id}-i0" if good(parent) else ""
        again = relaxations(name, made, kind == "symmetric")
        asked.append(Asked(f"inpainting {kind}", formula, size, final_of(name, made), again))
    return asked


class Evaluations:
    """Counts the crystals that CHGNet sees in this process, by stage of a run (its progress says which) and by kind."""

    def __init__(self) -> None:
        self.stage = ""
        self.seen: Counter[tuple[str, str]] = Counter()

    def progress(self, stage: str, *_: int) -> None:
        self.stage = "inpainting" if stage.startswith("inpaint") else "de novo"

    @contextmanager
    def counted(self) -> Iterator[None]:
        whole, cheap = ChgnetPotential.__call__, ChgnetPotential.energies

        def evaluate(potential, crystals):
            self.seen[self.stage, "with forces"] += len(crystals.lattice)
            return whole(potential, crystals)

        def energies(potential, crystals):
            self.seen[self.stage, "energy"] += len(crystals.lattice)
            return cheap(potential, crystals)

        with (
            mock.patch.object(ChgnetPotential, "__call__", evaluate),
            mock.patch.object(ChgnetPotential, "energies", energies),
        ):
            yield


def count(wanted: Sequence[tuple[str, str, int]], kinds: Sequence[str], n: int, quality: str) -> None:
    """What a structure that relaxed cost, by arm, in evaluations of CHGNet."""
    heads = ("composition", "atoms", "arm", "relaxed", "relaxations", "energies", "evaluations with forces")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for formula, guest, z in wanted:
        for kind in kinds:
            tally = Evaluations()
            with tempfile.TemporaryDirectory() as out, tally.counted():
                asked = run(
                    formula, guest, z, kind, n, quality, Path(out), workers=1, progress=tally.progress,
                    second_level_below=None,
                )  # fmt: skip
            for stage in ("de novo", "inpainting"):
                own = [a for a in asked if a.arm == f"{stage} {kind}"]
                made = sum(a.relaxations > 0 for a in own)
                each = [f"{tally.seen[stage, k] / max(made, 1):.0f}" for k in ("energy", "with forces")]
                cells = [formula, own[0].n_atoms, f"{stage} {kind}", made, sum(a.relaxations for a in own), *each]
                print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def good(candidate: Candidate | None) -> bool:
    return candidate is not None and candidate.status == "ok"


def success(asked: Sequence[Asked], loose: bool) -> float:
    """Share above P1 and P-1 at symprec 0.1 Å (loose) or 0.01 Å."""
    hits = [good(a.final) and above_trivial(a.final.space_group_loose if loose else a.final.space_group) for a in asked]
    return float(np.mean(hits)) if hits else np.nan


def median_of_all(asked: Sequence[Asked]) -> float:
    """Median E_d of everything asked for, what came to nothing being infinitely high."""
    found = energies(asked)
    found = found[np.isfinite(found)]
    return float(np.median([*found, *[np.inf] * (len(asked) - len(found))]))


def energies(asked: Iterable[Asked]) -> np.ndarray:
    found = [a.final.e_decomposition for a in asked if good(a.final) and a.final.e_decomposition is not None]
    return np.array(found or [np.nan])


def tables(asked: Sequence[Asked], arms: Sequence[str]) -> None:
    print("\n| arm | atoms | asked for | relaxed | success at 0.1 Å | at 0.01 Å |\n|---|---|---|---|---|---|")
    for arm in arms:
        for low, high in (*SIZES, (1, 1000)):
            part = [a for a in asked if a.arm == arm and low <= a.n_atoms <= high]
            if part:
                rate = " | ".join(f"{success(part, loose):.1%}" for loose in (True, False))
                sizes = "all" if high == 1000 else f"{low}–{high}"
                print(f"| {arm} | {sizes} | {len(part)} | {sum(good(a.final) for a in part)} | {rate} |")
    print("\n| composition | " + " | ".join(f"{arm}: median, best E_d" for arm in arms) + " |")
    print("|---|" + "---|" * len(arms))
    for formula in dict.fromkeys(a.formula for a in asked):
        cells = []
        for arm in arms:
            e = energies(a for a in asked if a.arm == arm and a.formula == formula)
            cells.append(f"{np.nanmedian(e):.3f}, {np.nanmin(e):.3f}")
        print(f"| {formula} | " + " | ".join(cells) + " |")
    heads = ("arm", "relaxations", "median E_d", "of all asked for", "best E_d, mean over compositions")
    print(f"\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for arm in arms:
        each = [energies(a for a in asked if a.arm == arm and a.formula == f) for f, _, _ in FORMULAS]
        spent = sum(a.relaxations for a in asked if a.arm == arm)
        best = np.nanmean([np.nanmin(e) for e in each if np.isfinite(e).any()])
        whole = median_of_all([a for a in asked if a.arm == arm])
        print(f"| {arm} | {spent} | {np.nanmedian(np.concatenate(each)):.3f} | {whole:.3f} | {best:.3f} |")


def draw(asked: Sequence[Asked], arms: Sequence[str], path: Path) -> None:
    """Success against number of atoms, a line an arm, a panel for Zn-P-S and for Li-Si."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
    for axis, name in zip(axes, ("Zn–P–S", "Li–Si"), strict=True):
        own = [a for a in asked if a.formula.startswith("Zn") == (name == "Zn–P–S")]
        for arm in arms:
            sizes = sorted({a.n_atoms for a in own})
            rates = [100 * success([a for a in own if a.arm == arm and a.n_atoms == s], True) for s in sizes]
            axis.plot(sizes, rates, marker="o", ls="-" if "inpainting" in arm else "--", label=arm)
        axis.set(xlabel="atoms", title=name, ylim=(-4, 104))
    axes[0].set_ylabel("above P1 and P-1 at 0.1 Å, %")
    axes[1].legend(fontsize=8, loc="center right")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=12, help="structures of each size asked of the symmetric arms")
    parser.add_argument("--formulas", nargs="+", help="such as ZnP2S6:1,2; all by default")
    parser.add_argument("--kinds", nargs="+", choices=tuple(KINDS), default=list(KINDS))
    parser.add_argument("--quality", default="best")
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/symmetry"))
    parser.add_argument("--workers", type=int, default=0, help="processes; a core each by default")
    parser.add_argument("--count", action="store_true", help="evaluations of CHGNet, in runs of their own")
    args = parser.parse_args()
    wanted = dict(f.split(":") for f in args.formulas) if args.formulas else None
    cells = [
        (formula, guest, z)
        for formula, guest, units in FORMULAS
        for z in (units if wanted is None else map(int, filter(None, wanted.get(formula, "").split(","))))
    ]
    if args.count:
        count(cells, args.kinds, args.n, args.quality)
        return
    asked: list[Asked] = []
    for formula, guest, z in cells:
        for kind in args.kinds:
            asked += run(formula, guest, z, kind, args.n, args.quality, args.out, workers=args.workers)
    arms = [f"{stage} {kind}" for stage in ("de novo", "inpainting") for kind in args.kinds]
    tables(asked, arms)
    if args.figure:
        draw(asked, arms, args.figure)


if __name__ == "__main__":
    main()
