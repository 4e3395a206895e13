"""Merge the training rows of the development data into one file for `chggen train`.

    python benchmarks/prepare_training_data.py DATA OUT.npz [--max-atoms 40] [--max-e-hull 0.15] [--element H]

DATA is the folder with mp20.npz, mp_structures.npz and mp_table.csv.gz (Materials Project, CC BY 4.0). Written are
the `train` rows of mp20.npz, the rows with `may_train` of mp_structures.npz that are not among them, and the `val`
rows for the validation loss; nothing else. --element: only crystals that hold it, for a file that a configuration
lists beside the whole one so that they are seen oftener.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from pymatgen.core import Element


def holds(data: dict[str, np.ndarray], element: Element) -> np.ndarray:
    """(crystals,) True where the element occurs."""
    return np.add.reduceat(data["Z"] == element.Z, data["offsets"][:-1]) > 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--max-atoms", type=int, default=40)
    parser.add_argument("--max-e-hull", type=float, default=0.15, help="eV/atom")
    parser.add_argument("--element", type=Element, help="only crystals with this element")
    args = parser.parse_args()

    small = dict(np.load(args.data / "mp20.npz"))
    large = dict(np.load(args.data / "mp_structures.npz"))
    table = pd.read_csv(args.data / "mp_table.csv.gz", keep_default_na=False, na_values=[""])
    assert (table["material_id"].to_numpy() == large["ids"]).all(), "table and structures must run in parallel"
    keep_small = np.isin(small["split"], ["train", "val"])
    keep_large = (
        table["may_train"].to_numpy(dtype=bool)
        & (table["ehull_best"].to_numpy() < args.max_e_hull)
        & (np.diff(large["offsets"]) <= args.max_atoms)
        & ~np.isin(large["ids"], small["ids"])
    )
    if args.element is not None:
        keep_small &= holds(small, args.element)
        keep_large &= holds(large, args.element)
    parts = [(small, np.flatnonzero(keep_small)), (large, np.flatnonzero(keep_large))]
    counts = np.concatenate([np.diff(d["offsets"])[k] for d, k in parts])
    atoms = [np.concatenate([np.arange(d["offsets"][i], d["offsets"][i + 1]) for i in k]) for d, k in parts]
    args.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        args.out,
        ids=np.concatenate([d["ids"][k] for d, k in parts]),
        cell=np.concatenate([d["cell"][k] for d, k in parts]),
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        Z=np.concatenate([d["Z"][a] for (d, _), a in zip(parts, atoms, strict=True)]),
        frac=np.concatenate([d["frac"][a] for (d, _), a in zip(parts, atoms, strict=True)]),
        split=np.concatenate([small["split"][keep_small], np.full(int(keep_large.sum()), "train")]),
    )
    n_small = int((small["split"][keep_small] == "train").sum())
    print(f"{n_small} + {int(keep_large.sum())} training crystals in {args.out}")


if __name__ == "__main__":
    main()
