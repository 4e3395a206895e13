"""The true crystal among its candidates by a measured powder pattern, beside plain similarity of patterns.

    python benchmarks/powder_patterns.py DATA --out FOLDER [--first N] [--split test] [--strain symmetric]

For each crystal a pattern is simulated (benchmarks/powder_cases.py): Cu Kα, 10-90° in steps of 0.02°, Poisson noise of
1 % at the strongest peak, volume off by 2 % either way, zero shift up to 0.1°, an amorphous hump as high as 10 % of the
strongest peak. Candidates are the crystal, strained by 1 % at constant volume with atoms moved by 0.02 Å, and 19
decoys of its composition: prototypes and cells of space groups as runs start from, at the volume of the volume model.

*match*: `chggen match`, volume, zero shift, width and shape fitted. *plain*: the cosine of the measured pattern without
its background and the calculated one at the candidate's own volume, without shift, with Gaussian peaks 0.2° wide.
*raw*: the same with the background. --strain any: a strain that breaks the symmetry of the cell, which no relaxation
makes. Rows
are kept in FOLDER as they end; a run that was stopped goes on. Seconds are those of one core. Prints Markdown tables.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from kept_rows import KeptRows
from powder_cases import candidates, crystals, relaxed_like, scan
from pymatgen.core import Structure

from chggen.powder import Peaks, PowderPattern, PreparedPattern, fitted

_CUKA = 1.54184  # Å
_PLAIN_WIDTH = 0.2  # degrees
ARMS = ("match", "plain", "raw")


def plain(structure: Structure, pattern: PreparedPattern) -> tuple[float, float]:
    """Cosines of the pattern without and with its background, and of a crystal's own pattern; nothing is fitted."""
    place, height = Peaks.of(structure, _CUKA, 5, 95).at_volume(1.0)
    off = (pattern.two_theta[:, None] - place[None]) / _PLAIN_WIDTH
    drawn = np.exp(-4 * np.log(2) * off**2) @ height
    own = np.sqrt(drawn @ drawn)
    measured = pattern.measured
    return tuple(float(y @ drawn / max(own * np.sqrt(y @ y), 1e-300)) for y in (pattern.net, measured))  # type: ignore[return-value]


def place_of(first: float, others: list[float]) -> int:
    """Place of the true crystal, behind decoys that agree as well to six digits."""
    return 1 + sum(round(other, 6) >= round(first, 6) for other in others)


def row_of(key: str, crystal: Structure, seed: int, out: Path, symmetric: bool) -> dict[str, Any]:
    """What comes of one crystal."""
    made, sources = candidates(key, crystal, seed, out)
    measured = scan(crystal, seed)
    everyone = [relaxed_like(crystal, seed, symmetric), *made]
    began = time.process_time()
    pattern = PreparedPattern.of(PowderPattern(measured.two_theta, measured.counts), _CUKA)
    fits = [fitted(structure, pattern) for structure in everyone]
    seconds = time.process_time() - began
    compared = [plain(structure, pattern) for structure in everyone]
    figures = {"match": [f.agreement for f in fits], "plain": [c[0] for c in compared], "raw": [c[1] for c in compared]}
    return {
        "id": key,
        "formula": crystal.composition.reduced_formula,
        "atoms": len(crystal),
        "candidates": len(everyone),
        "sources": sources,
        "place": {arm: place_of(values[0], values[1:]) for arm, values in figures.items()},
        "true": {arm: round(values[0], 4) for arm, values in figures.items()},
        "best_decoy": {arm: round(max(values[1:]), 4) for arm, values in figures.items()},
        "volume_error": fits[0].volume_factor - measured.volume_factor,
        "shift_error": fits[0].zero_shift - measured.zero_shift,
        "seconds": round(seconds, 2),
    }


def table(rows: list[dict[str, Any]]) -> None:
    """Print the tables of the rows."""
    sizes = sorted({row["candidates"] for row in rows})
    print(f"{len(rows)} crystals, {' or '.join(map(str, sizes))} candidates each\n")
    print("| ranked by | true one first, % | among the first three, % | agreement, true one | best decoy |")
    print("|---|---|---|---|---|")
    names = {"match": "`chggen match`", "plain": "cosine, nothing fitted", "raw": "the same, background kept"}
    for arm in ARMS:
        places = np.array([row["place"][arm] for row in rows])
        true, best = (np.median([row[what][arm] for row in rows]) for what in ("true", "best_decoy"))
        first, three = 100 * np.mean(places == 1), 100 * np.mean(places <= 3)
        print(f"| {names[arm]} | {first:.1f} | {three:.1f} | {true:.3f} | {best:.3f} |")
    volume, shift = (np.abs([row[f"{what}_error"] for row in rows]) for what in ("volume", "shift"))
    print(f"\nvolume of the true one off by {100 * np.median(volume):.2f} % (median), zero by {np.median(shift):.3f}°")
    seconds = np.array([row["seconds"] for row in rows])
    print(f"seconds for all candidates of a crystal: {seconds.mean():.2f} on average, {seconds.max():.2f} at most")
    made: dict[str, int] = {}
    for row in rows:
        for source, n in row["sources"].items():
            made[source] = made.get(source, 0) + n
    print(f"decoys: {', '.join(f'{n} {source}' for source, n in made.items())}")
    missed = [row for row in rows if row["place"]["match"] > 1]
    print("\nnot first: " + "; ".join(f"{r['formula']} ({r['id']}, place {r['place']['match']})" for r in missed))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--first", type=int, default=100)
    parser.add_argument("--split", default="test", choices=["test", "val"])
    parser.add_argument("--strain", default="symmetric", choices=["symmetric", "any"])
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # pymatgen's, of electronegativities and the like
    kept = KeptRows(given.out / f"{given.split}-{given.strain}.jsonl")
    done = {row["id"] for row in kept.rows}
    for seed, (key, crystal) in enumerate(crystals(given.data, given.split, given.first).items()):
        if key not in done:
            kept.add([row_of(key, crystal, seed, given.out / given.split, given.strain == "symmetric")])
    table(kept.rows[: given.first])


if __name__ == "__main__":
    main()
