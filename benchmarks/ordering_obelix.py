"""Measured crystals with partial occupancies: does each get ordered structures, relaxed, with E_d, within five minutes?

    python benchmarks/ordering_obelix.py DATA --out FOLDER [--cases N] [--workers 2] [--table]

The disordered files of DATA/obelix, each by `chggen order FILE -n 2 --workers 1` as it stands, one a core, shuffled by
a fixed seed so that the first N are a fair sample. One core each is less than the two that a laptop has. A case is met
if an ordered structure within the tolerance is relaxed and has a decomposition energy within 300 s. Rows go to
FOLDER/obelix.jsonl; a run that was stopped goes on. Names of files alone are printed, no structures.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from kept_rows import KeptRows
from pymatgen.core import Structure

LIMIT = 300  # s
N = 2


def disordered(data: Path) -> list[Path]:
    """The files with partial occupancies, shuffled."""
    found = []
    for file in sorted((data / "obelix").glob("*.cif")):
        try:
            if not Structure.from_file(file).is_ordered:
                found.append(file)
        except ValueError:
            continue
    return [found[k] for k in np.random.default_rng(0).permutation(len(found))]


def row_of(file: Path) -> dict[str, Any]:
    """What becomes of a file."""
    import chggen

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    began = time.time()
    row: dict[str, Any] = {"file": file.name}
    try:
        made = chggen.order(file, n=N, workers=1)
    except Exception as error:  # of any kind: the next file is tried
        return row | {"reason": f"{type(error).__name__}: {error}"[:300], "s": time.time() - began}
    if not made:
        return row | {"reason": "no ordering has an energy", "s": time.time() - began}
    good = [c for c in made if c.status == "ok" and c.e_decomposition is not None]
    row |= {"s": time.time() - began, "atoms": made[0].n_atoms, "formula": made[0].formula, "good": len(good)}
    if good:
        return row | {"e_d": min(c.e_decomposition for c in good), "sources": sorted({c.seed_source for c in good})}
    return row | {"reason": "; ".join(sorted({c.reason or c.hull_warning or "no E_d" for c in made}))}


def print_table(rows: list[dict[str, Any]]) -> None:
    met = [row for row in rows if "e_d" in row and row["s"] <= LIMIT]
    s = np.array([row["s"] for row in rows])
    print(
        f"{len(met)} of {len(rows)} ({100 * len(met) / len(rows):.1f} %) ordered, relaxed, with E_d within {LIMIT} s;"
    )
    print(f"median {np.median(s):.0f} s, nine of ten within {np.quantile(s, 0.9):.0f} s, longest {s.max():.0f} s")
    for row in rows:
        if row not in met:
            print(f"- {row['file']}: {row.get('reason', 'too long')} ({row['s']:.0f} s)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cases", type=int)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--table", action="store_true", help="print the table of the rows alone")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    kept = KeptRows(args.out / "obelix.jsonl")
    if not args.table:
        done = {row["file"] for row in kept.rows}
        left = [(file,) for file in disordered(args.data)[: args.cases] if file.name not in done]
        kept.compute(row_of, left, args.workers)
    print_table(kept.rows)


if __name__ == "__main__":
    main()
