"""The shipped reference table made whole: withheld phases joined to it, and the fingerprint of every structure.

    python benchmarks/ship_references.py DATA --fingerprints FOLDER [--table FILE] [--compute]

DATA holds references_withheld.npz, withheld_fingerprints.csv.gz and mp_structures.npz (Materials Project, CC BY 4.0).
FOLDER holds the fingerprints of mp_structures.npz in blocks of 2,000 rows of id and fingerprint; `--compute` makes the
blocks that are missing (half an hour on one core), and may be stopped and called again. The table (--table; default:
the shipped one) is replaced. Phases that are in it already are not joined again, so the script may be run twice.
"""

from __future__ import annotations

import argparse
import csv
import gzip
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

from chggen.crystals import parse_formula
from chggen.io import NamedStructures
from chggen.stability import References, above_hull
from chggen.stability.joined_references import joined
from chggen.stability.references import SHIPPED
from chggen.symmetry import structure_fingerprint

BLOCK = 2000


def compute(data: Path, folder: Path) -> None:
    """Compute the blocks of fingerprints that are missing."""
    structures = NamedStructures((data / "mp_structures.npz",))
    names = structures.names
    folder.mkdir(parents=True, exist_ok=True)
    for block, start in enumerate(range(0, len(names), BLOCK)):
        path = folder / f"{block:03d}.npy"
        if not path.exists():
            some = names[start : start + BLOCK]
            np.save(path, np.array([(name, structure_fingerprint(structures.structure(name)) or "") for name in some]))
            print(f"{path} written", flush=True)


def fingerprints(data: Path, folder: Path) -> dict[str, str]:
    """Id → fingerprint of all structures whose fingerprint is there."""
    found: dict[str, str] = {}
    for path in sorted(folder.glob("[0-9]*.npy")):
        found.update((str(name), str(text)) for name, text in np.load(path))
    with gzip.open(data / "withheld_fingerprints.csv.gz", "rt") as handle:
        found.update((row["id"], row["fingerprint"]) for row in csv.DictReader(handle))
    return found


def fingerprinted(table: References, known: dict[str, str]) -> References:
    """The table with all fingerprints that are known.

    One that phases of different systems share is no fingerprint but a hashed error message, since the label that is
    hashed names the elements. It is left out.
    """
    systems = defaultdict(set)
    for name, formula in zip(table.ids.tolist(), table.formulas.tolist(), strict=True):
        systems[known.get(name, "")].add(frozenset(parse_formula(formula)))
    wrong = {text for text, found in systems.items() if text and len(found) > 1}
    print(f"{len(wrong)} hashes are of several systems and left out")
    texts = [known.get(name, "") for name in table.ids.tolist()]
    numbers = [0 if text in wrong else int(text or "0", 16) for text in texts]
    return replace(table, fingerprints=np.array(numbers, np.uint64))


def check(table: References) -> None:
    """Print what the table holds, and refuse one that has a static entry on a hull."""
    assert len(set(table.ids.tolist())) == len(table), "an id occurs twice"
    print(f"{len(table)} phases, {np.count_nonzero(table.fingerprints)} with a fingerprint")
    for k, level in enumerate(table.levels):
        above = above_hull(table, level)
        on_hull = above < 1e-6
        static = int((on_hull & ~table.relaxed[:, k]).sum())
        print(
            f"{level}: {np.isfinite(table.energies[:, k]).sum()} entries, {table.relaxed[:, k].sum()} relaxed, "
            f"{on_hull.sum()} on a hull, of them {static} static"
        )
        assert static == 0, "a static entry lies on a hull"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--fingerprints", type=Path, required=True, help="folder of the blocks")
    parser.add_argument("--table", type=Path, default=SHIPPED)
    parser.add_argument("--compute", action="store_true", help="compute the blocks that are missing")
    args = parser.parse_args()
    if args.compute:
        compute(args.data, args.fingerprints)
    shipped, withheld = References.load(args.table), References.load(args.data / "references_withheld.npz")
    fresh = bool(shipped.unknown_ids(withheld.ids.tolist()))
    table = joined([shipped, withheld]) if fresh else shipped
    table = fingerprinted(table, fingerprints(args.data, args.fingerprints))
    check(table)
    table.save(args.table)


if __name__ == "__main__":
    main()
