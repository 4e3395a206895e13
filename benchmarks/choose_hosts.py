"""Choose the crystals of the re-insertion rows, once; the lists are committed under benchmarks/ids/.

    python benchmarks/choose_hosts.py DATA

Hosts are drawn at random from the `test` split (rows of at most 20 atoms) and from the hold-out (21-40 atoms).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from pymatgen.core import Element

IDS = Path(__file__).parent / "ids"
MOBILE = [Element(s).Z for s in ("Li", "Na", "K", "Mg", "Ca", "Zn", "Ag", "Cu", "H")]
MOST = 300
Chooser = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def one_species(symbol: str, most_atoms: int) -> Chooser:
    """All atoms of a species, 1 to 4 of them, something else being left."""

    def choose(numbers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        mask = numbers == Element(symbol).Z
        return mask & (len(numbers) <= most_atoms and 1 <= mask.sum() <= 4 and mask.sum() < len(numbers))

    return choose


def any_species(numbers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    kinds = np.unique(numbers)
    return (numbers == rng.choice(kinds)) & (len(kinds) > 1)


def mobile_large(numbers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    fitting = [z for z in MOBILE if 4 <= (numbers == z).sum() <= 10 and (numbers != z).any()]
    return numbers == rng.choice(fitting) if fitting else np.zeros(len(numbers), dtype=bool)


def half(numbers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    mask = np.zeros(len(numbers), dtype=bool)
    mask[rng.permutation(len(numbers))[: len(numbers) // 2]] = True
    return mask


def everything(numbers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.ones(len(numbers), dtype=bool)


def choose(data: dict[str, np.ndarray], eligible: np.ndarray, chooser: Chooser, seed: int) -> list[dict[str, object]]:
    rng = np.random.default_rng(seed)
    found: list[dict[str, object]] = []
    for i in rng.permutation(np.flatnonzero(eligible)):
        mask = chooser(data["Z"][data["offsets"][i] : data["offsets"][i + 1]], rng)
        if mask.any():
            found.append({"id": str(data["ids"][i]), "guests": np.flatnonzero(mask).tolist()})
        if len(found) == MOST:
            break
    return found


def main() -> None:
    folder = Path(sys.argv[1])
    small = dict(np.load(folder / "mp20.npz"))
    large = dict(np.load(folder / "mp_structures.npz"))
    table = pd.read_csv(folder / "mp_table.csv.gz", keep_default_na=False, na_values=[""])
    test = small["split"] == "test"
    n_large = np.diff(large["offsets"])
    holdout = table["holdout"].to_numpy(dtype=bool) & (n_large >= 21) & (n_large <= 40)
    rows = {
        "li-small": (small, test, one_species("Li", 12)),
        "h-small": (small, test, one_species("H", 12)),
        "mobile-large": (large, holdout, mobile_large),
        "any-species": (small, test, any_species),
        "half": (small, test, half),
        "all-atoms": (small, test, everything),
    }
    IDS.mkdir(exist_ok=True)
    for seed, (row, (data, eligible, chooser)) in enumerate(rows.items()):
        chosen = choose(data, eligible, chooser, seed)
        lines = ",\n".join(json.dumps(c) for c in chosen)
        source = "test split" if data is small else "hold-out"
        (IDS / f"{row}.json").write_text(f'{{"source": "{source}", "seed": {seed}, "cases": [\n{lines}\n]}}\n')
        print(row, len(chosen))


if __name__ == "__main__":
    main()
