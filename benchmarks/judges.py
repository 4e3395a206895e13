"""Does a judge rank better? Candidates of finished CSP runs, judged anew by another potential.

    python benchmarks/csp.py DATA --sets val --arms chggen random --first 40 --out FOLDER
    python benchmarks/judges.py DATA --sets val --first 40 --out FOLDER [--judge sevennet-l3i5] [--within 0.1]

Takes the folders that csp.py left and asks the judge about what is promising (`judge_by`, `judge_within`). Matches are
those of csp.py: StructureMatcher(0.2, 0.3, 5). Lowest: by the energy of the potential named; answer: by energy and
prototype (chggen.results.answers). Random cells with as many relaxations by CHGNet stand beside, from csp.py's rows.
Prints Markdown. A choice is tuned on `val`, never on the other sets.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from pathlib import Path

from csp import SETS, counts_of, percent, targets
from kept_rows import KeptRows


def row_of(name, key, target, n, folder, judge, within):
    """What the run of a target found, and what it is told before and after it is judged."""
    import torch
    from pymatgen.analysis.structure_matcher import StructureMatcher

    import chggen
    from chggen.results import answer

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    began = time.process_time()
    formula = "".join(f"{s}{k}" for s, k in counts_of(target).items())
    found = chggen.generate(
        formula, n=n, seed=0, formula_units=[1], cells_from=["auto"], workers=1, references=["shipped"], out=folder,
        judge_by=judge, judge_within=within, progress=None,
    )  # fmt: skip
    seconds = time.process_time() - began
    matcher = StructureMatcher(ltol=0.2, stol=0.3, angle_tol=5)
    distinct = [c for c in found if c.status == "ok" and c.duplicate_of is None and c.energy_per_atom is not None]
    fits = {c.id for c in distinct if matcher.fit(target, c.structure)}
    asked = [c for c in distinct if judge in c.energies]
    before = answer([c.at_level_of_run() for c in distinct])
    after = answer(distinct)
    crystal = min((c.energies[judge] for c in asked if c.id in fits), default=None)
    lowest = min(asked, key=lambda c: c.energies[judge], default=None)
    return {
        "set": name, "target": key, "judge": judge, "within": within, "judged": len(asked), "seconds": seconds,
        "any": bool(fits), "any_judged": any(c.id in fits for c in asked),
        "lowest_run": bool(distinct) and min(distinct, key=lambda c: c.energy_per_atom).id in fits,
        "lowest_judge": lowest is not None and lowest.id in fits,
        "answer_run": before is not None and before.id in fits,
        "answer_judge": after is not None and after.id in fits,
        "too_high": None if crystal is None or lowest is None else crystal - lowest.energies[judge],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", default=["val"], choices=SETS)
    parser.add_argument("--first", type=int)
    parser.add_argument("--n", type=int, default=20)
    parser.add_argument("--judge", default="sevennet-l3i5")
    parser.add_argument("--within", type=float, default=0.1)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=Path("runs/csp"))
    args = parser.parse_args()
    kept = KeptRows(args.out / "judged.jsonl")
    done = {(r["set"], r["target"]) for r in kept.rows if (r["judge"], r["within"]) == (args.judge, args.within)}
    asked = [
        (name, key, target, args.n, args.out / name / key, args.judge, args.within)
        for name in args.sets
        for key, target in targets(name, args.data)[: args.first or SETS[name]]
        if (args.out / name / key).is_dir()
    ]
    kept.compute(row_of, [job for job in asked if job[:2] not in done], args.workers)
    random = {(r["set"], r["target"]): r for r in KeptRows(args.out / "rows.jsonl").rows if r["arm"] == "random"}
    heads = ("set", "targets", "any", "lowest by CHGNet", "lowest by the judge", "answer before", "answer after",
             "random, lowest / any", "judged", "judge, CPU s")  # fmt: skip
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for name in args.sets:
        own = [r for r in kept.rows if (r["set"], r["judge"], r["within"]) == (name, args.judge, args.within)]
        beside = [random[name, r["target"]] for r in own if (name, r["target"]) in random]
        chance = " / ".join(percent(r[k] for r in beside) for k in ("first", "any")) if beside else "–"
        cells = [
            name, len(own),
            *(percent(r[k] for r in own) for k in ("any", "lowest_run", "lowest_judge", "answer_run", "answer_judge")),
            chance, f"{sum(r['judged'] for r in own) / len(own):.1f}",
            f"{sum(r['seconds'] for r in own) / len(own):.1f}",
        ]  # fmt: skip
        print(f"| {' | '.join(map(str, cells))} |")


if __name__ == "__main__":
    main()
