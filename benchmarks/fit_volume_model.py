"""Fit the composition model of the volume per atom and write its table.

    python benchmarks/fit_volume_model.py DATA OUT.json [--ridge 0.1]

DATA is the folder with mp20.npz, mp_structures.npz and mp_table.csv.gz (Materials Project, CC BY 4.0). The model
learns from the `train` rows of mp20.npz and the `may_train` rows of mp_structures.npz only; `val` and `test` are
reported (0.03 to 0.1 for the ridge make no difference to either). Needs scipy and pymatgen beside numpy;
chggen.composition needs neither.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sparse

from chggen.crystals import SYMBOLS
from chggen.generation.volume import VOLUME_FORMAT, volume_features

MAX_E_HULL = 0.1  # eV/atom
MIN_ROWS = 3  # a feature seen in fewer crystals is left out
ANIONS = {"O", "F", "Cl", "Br", "I", "S", "Se", "Te", "N", "P", "As", "H", "C", "Si", "B", "Ge", "Sb"}
Rows = dict[str, np.ndarray]


def rows_of(data: Rows, keep: np.ndarray) -> tuple[list[dict[str, float]], np.ndarray]:
    """Atomic fractions and volumes per atom, Å³, of the chosen crystals."""
    counts = np.diff(data["offsets"])
    cell = data["cell"].astype(float)
    cos = np.cos(np.deg2rad(cell[:, 3:]))
    volumes = cell[:, :3].prod(1) * np.sqrt(1 - (cos**2).sum(1) + 2 * cos.prod(1)) / counts
    fractions = []
    for i in keep:
        numbers, n = np.unique(data["Z"][data["offsets"][i] : data["offsets"][i + 1]], return_counts=True)
        fractions.append({SYMBOLS[z - 1]: float(k) / counts[i] for z, k in zip(numbers, n, strict=True)})
    return fractions, volumes[keep]


def electronegativities() -> dict[str, float]:
    """Pauling values; the light noble gases, which have none, are put beside their neighbours."""
    from pymatgen.core import Element

    warnings.simplefilter("ignore")
    found = {symbol: float(Element(symbol).X) for symbol in SYMBOLS}
    return {s: x if np.isfinite(x) and x > 0 else 3.5 if s in ("He", "Ne", "Ar") else 1.3 for s, x in found.items()}


def design(rows: list[dict[str, float]], names: dict[str, int], chi: dict[str, float]) -> sparse.csr_matrix:
    """Feature matrix (crystals, features); names that are not in `names` are left out."""
    at, column, value = [], [], []
    for i, fractions in enumerate(rows):
        for name, x in volume_features(fractions, chi).items():
            if name in names:
                at.append(i), column.append(names[name]), value.append(x)
    return sparse.csr_matrix((value, (at, column)), shape=(len(rows), len(names)))


def polymorph_weights(rows: list[dict[str, float]], above: np.ndarray) -> np.ndarray:
    """Weights that lean towards stable phases; `above` in eV/atom.

    Elements have many dense and open polymorphs and no neighbours in composition: each gets the same weight in all,
    nearly the whole of it for its ground state.
    """
    weight = 1 / (1 + above / 0.05)
    pure: dict[str, list[int]] = {}
    for i, fractions in enumerate(rows):
        if len(fractions) == 1:
            pure.setdefault(next(iter(fractions)), []).append(i)
    for members in pure.values():
        boltzmann = np.exp(-(above[members] - above[members].min()) / 0.01)
        weight[members] = 10 * boltzmann / boltzmann.sum()
    return weight


def robust_ridge(A: sparse.csr_matrix, y: np.ndarray, ridge: float, weight: np.ndarray) -> np.ndarray:
    """Ridge solution, reweighted once towards least absolute deviations."""
    w = weight
    for _ in range(2):
        normal = (A.T @ A.multiply(w[:, None])).toarray()
        normal[np.diag_indices_from(normal)] += ridge
        solution = np.linalg.solve(normal, A.T @ (w * y))
        w = weight * 0.05 / np.maximum(np.abs(y - A @ solution), 0.03)
    return solution


def report(rows: list[dict[str, float]], volumes: np.ndarray, predicted: np.ndarray, name: str) -> float:
    """Print the mean absolute errors, %, of a set and of its classes; returns the whole set's."""
    error = 100 * np.abs(predicted / volumes - 1)
    classes: dict[str, Callable[[dict[str, float]], bool]] = {
        "elements": lambda f: len(f) == 1,  # none in val and test; of the training rows all polymorphs
        "oxides": lambda f: len(f) > 1 and "O" in f,
        "intermetallics": lambda f: len(f) > 1 and not ANIONS & set(f),
        "other": lambda f: len(f) > 1 and "O" not in f and bool(ANIONS & set(f)),
    }
    parts = [
        f"all {error.mean():.2f} % (median {np.median(error):.2f}, 95th percentile {np.percentile(error, 95):.1f})"
    ]
    for label, belongs in classes.items():
        inside = np.array([belongs(f) for f in rows])
        parts.append(f"{label} {error[inside].mean():.2f} % of {inside.sum()}" if inside.any() else f"{label} none")
    print(f"{name:6s}", ", ".join(parts))
    return float(error.mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--ridge", type=float, default=0.1)
    args = parser.parse_args()

    small, large = dict(np.load(args.data / "mp20.npz")), dict(np.load(args.data / "mp_structures.npz"))
    table = pd.read_csv(args.data / "mp_table.csv.gz", keep_default_na=False, na_values=[""])
    assert (table["material_id"].to_numpy() == large["ids"]).all(), "table and structures must run in parallel"
    e_hull = table["ehull_best"].to_numpy()
    extra = table["may_train"].to_numpy(bool) & (e_hull < MAX_E_HULL) & ~np.isin(large["ids"], small["ids"])
    train = np.flatnonzero(small["split"] == "train")
    rows, volumes = rows_of(small, train)
    more_rows, more_volumes = rows_of(large, np.flatnonzero(extra))
    rows, volumes = rows + more_rows, np.concatenate([volumes, more_volumes])
    # MP-20 rows have PBE geometry, the others are about 1 % smaller: a column of its own takes that up
    other_geometry = np.concatenate([small["exact_mp20"][train] == 0, np.ones(len(more_rows), bool)]).astype(float)
    above = np.nan_to_num(np.concatenate([small["e_above_hull"][train], e_hull[extra]]), nan=0.1)
    weight = polymorph_weights(rows, np.maximum(above, 0))

    chi = electronegativities()
    met = sorted({symbol for f in rows for symbol in f})
    names = {name: k for k, name in enumerate(sorted({n for f in rows for n in volume_features(f, chi)}))}
    X = design(rows, names, chi)
    seen = np.asarray((X != 0).sum(0)).ravel() >= MIN_ROWS
    kept = [name for name in names if seen[names[name]] or name in met or name.endswith("!")]
    names = {name: k for k, name in enumerate(kept)}
    X = design(rows, names, chi)

    linear = X[:, [names[symbol] for symbol in met]]
    v = robust_ridge(linear.multiply(1 / volumes[:, None]).tocsr(), np.ones(len(volumes)), 1e-6, weight)
    v = np.maximum(v, 1.0)
    A = sparse.hstack([np.log(linear @ v)[:, None], other_geometry[:, None], X]).tocsr()
    solution = robust_ridge(A, np.log(volumes), args.ridge, weight)
    base_weight, weights = float(solution[0]), solution[2:]
    print(f"{len(volumes)} crystals, {len(met)} elements, {len(kept)} features")

    def predict(f: list[dict[str, float]]) -> np.ndarray:
        Y = design(f, names, chi)
        return np.exp(base_weight * np.log(Y[:, [names[s] for s in met]] @ v) + Y @ weights)

    errors = {"train": report(rows, volumes, predict(rows) * np.exp(solution[1] * other_geometry), "train")}
    for split in ("val", "test"):
        unseen_rows, unseen = rows_of(small, np.flatnonzero(small["split"] == split))
        known = np.array([all(s in met for s in f) for f in unseen_rows])
        if not known.all():
            print(f"{split}: {int((~known).sum())} crystals hold elements the model never met and are left out")
        unseen_rows = [f for f, k in zip(unseen_rows, known, strict=True) if k]
        errors[split] = report(unseen_rows, unseen[known], predict(unseen_rows), split)

    shipped = {
        "format": VOLUME_FORMAT,
        "attribution": "Fitted to crystal structures of the Materials Project (materialsproject.org), CC BY 4.0; "
        "A. Jain et al., APL Materials 1, 011002 (2013).",
        "provenance": f"benchmarks/fit_volume_model.py, {len(volumes)} crystals within {MAX_E_HULL} eV/atom of the "
        f"hull: train split of MP-20 and further training rows; ridge {args.ridge}. "
        + ", ".join(f"{k} {e:.2f} %" for k, e in errors.items())
        + " mean absolute error.",
        "unit": "Å³/atom",
        "base_weight": round(base_weight, 5),
        "elements": {s: {"volume": round(float(v[k]), 3), "chi": round(chi[s], 3)} for k, s in enumerate(met)},
        "weights": {name: round(float(weights[k]), 4) for name, k in names.items()},
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(shipped, ensure_ascii=False, separators=(",", ":"))
    args.out.write_text(text.replace('},"', '},\n"').replace('.","', '.",\n"') + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
