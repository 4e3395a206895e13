"""Known phases on or near the hull, as one archive that `chggen references build` reads.

    python benchmarks/near_hull.py DATA --out near_hull.npz [--within 0.0]
    chggen references build near_hull.npz --potential sevennet-l3i5 --within -1 --sample 0 -o sevennet-l3i5

Phases are those of DATA/mp_structures.npz (Materials Project, CC BY 4.0) that lie at most this far above the hull of
2019, or, where their place there is not known, above the best hull that is; and of each element the three lowest.
Phases of formulas that are kept out of all data are not among them. They stand smallest first.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import math
from pathlib import Path

import numpy as np

OF_AN_ELEMENT = 3


def near(data: Path, within: float) -> np.ndarray:
    """Ids of the phases near the hull."""
    with gzip.open(data / "mp_table.csv.gz", "rt") as handle:
        rows = list(csv.DictReader(handle))

    def height(row: dict[str, str]) -> float:
        return float(row["ehull_mp2019"] or row["ehull_best"] or math.inf)

    elements: dict[str, list[dict[str, str]]] = {}
    for row in sorted(rows, key=height):
        if "-" not in row["chemsys"]:
            elements.setdefault(row["chemsys"], []).append(row)
    pure = {row["material_id"] for same in elements.values() for row in same[:OF_AN_ELEMENT]}
    return np.array([row["material_id"] for row in rows if height(row) <= within or row["material_id"] in pure])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--within", type=float, default=0.0, help="eV/atom")
    args = parser.parse_args()
    table = dict(np.load(args.data / "mp_structures.npz"))
    offsets, sizes = table["offsets"], np.diff(table["offsets"])
    chosen = np.flatnonzero(np.isin(table["ids"], near(args.data, args.within)))
    chosen = chosen[np.argsort(sizes[chosen], kind="stable")]
    atoms = np.concatenate([np.arange(offsets[k], offsets[k + 1]) for k in chosen])
    found = {name: values[chosen] for name, values in table.items() if len(values) == len(sizes)}
    found |= {name: values[atoms] for name, values in table.items() if len(values) == offsets[-1]}
    found["offsets"] = np.concatenate([[0], np.cumsum(sizes[chosen])])
    np.savez_compressed(args.out, **found)
    print(f"{len(chosen)} phases of {sizes[chosen].mean():.1f} atoms on average in {args.out}")


if __name__ == "__main__":
    main()
