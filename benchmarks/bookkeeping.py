"""Seconds that a run spends on anything but its candidates: storing, reading, grouping duplicates and exporting them.

Candidates are made up: crystals of five formulas, half of them copies of a few prototypes in other cells, strained and
rattled as relaxations leave them and then refined, half of them random cells.

usage: python benchmarks/bookkeeping.py [200 1000 5000]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.core import Lattice, Structure

from chggen.campaign.comparison import StructureComparison
from chggen.campaign.duplicates import with_duplicates
from chggen.results import Candidate, ranked, read_candidates
from chggen.results.folder import Store
from chggen.symmetry import refine

BATCH = 8
_LOOSE = 225  # any but P1: copies are symmetric at 0.1 Å
_CUBIC = Lattice.cubic
_PROTOTYPES: tuple[tuple[str, str, Lattice, tuple[str, ...], list[list[float]], float], ...] = (
    ("NaCl", "Fm-3m", _CUBIC(5.64), ("Na", "Cl"), [[0, 0, 0], [0.5, 0.5, 0.5]], -3.40),
    ("NaCl", "Pm-3m", _CUBIC(3.45), ("Na", "Cl"), [[0, 0, 0], [0.5, 0.5, 0.5]], -3.33),
    ("NaCl", "F-43m", _CUBIC(6.10), ("Na", "Cl"), [[0, 0, 0], [0.25, 0.25, 0.25]], -3.35),
    ("TiO2", "P4_2/mnm", Lattice.tetragonal(4.6, 2.96), ("Ti", "O"), [[0, 0, 0], [0.305, 0.305, 0]], -8.80),
    ("TiO2", "I4_1/amd", Lattice.tetragonal(3.79, 9.5), ("Ti", "O"), [[0, 0, 0], [0, 0, 0.208]], -8.79),
    ("Li2S", "Fm-3m", _CUBIC(5.7), ("S", "Li"), [[0, 0, 0], [0.25, 0.25, 0.25]], -4.00),
    ("SrTiO3", "Pm-3m", _CUBIC(3.9), ("Sr", "Ti", "O"), [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]], -7.90),
    ("Al2O3", "R-3c", Lattice.hexagonal(4.76, 12.99), ("Al", "O"), [[0, 0, 0.352], [0.306, 0, 0.25]], -7.50),
)  # fmt: skip
_BASES = ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], [[1, 1, 0], [0, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 1, 0], [1, 0, -1]])


@cache
def _prototype(number: int) -> Structure:
    """A prototype in its primitive cell."""
    _, group, lattice, species, sites, _ = _PROTOTYPES[number]
    return Structure.from_spacegroup(group, lattice, species, sites).get_primitive_structure()


def _copy(rng: np.random.Generator) -> tuple[Structure, float]:
    """A prototype in some cell of it, strained, rattled by 0.02 Å and refined, and its energy in eV/atom."""
    number = int(rng.integers(len(_PROTOTYPES)))
    structure = _prototype(number).copy()
    structure.make_supercell(_BASES[rng.integers(len(_BASES))])
    frac = structure.frac_coords + rng.normal(0, 0.02, (len(structure), 3)) @ structure.lattice.inv_matrix
    matrix = structure.lattice.matrix @ (np.eye(3) + rng.normal(0, 0.005, (3, 3)))
    relaxed = Structure(matrix, structure.species, frac)
    refined = refine(relaxed, 0.3)  # as a run does before it keeps a structure
    return refined.structure if refined else relaxed, _PROTOTYPES[number][-1] + abs(rng.normal(0, 0.003))


def _random(rng: np.random.Generator) -> tuple[Structure, float]:
    """A cell of any shape with atoms anywhere, and an energy up to 0.5 eV/atom above a prototype's."""
    number = int(rng.integers(len(_PROTOTYPES)))
    like = _prototype(number)
    elements = like.composition.reduced_composition * int(rng.integers(1, 3))
    kinds = [str(e) for e, n in elements.items() for _ in range(int(n))]
    per_atom = float(like.volume / len(like)) * rng.uniform(0.9, 1.2)
    cell = Lattice.from_parameters(*rng.uniform(0.7, 1.4, 3), *rng.uniform(65, 115, 3)).scale(per_atom * len(kinds))
    return Structure(cell, kinds, rng.random((len(kinds), 3))), _PROTOTYPES[number][-1] + rng.uniform(0, 0.5)


def made_up(count: int, seed: int = 0) -> list[Candidate]:
    """Candidates like those of a run; one in ten failed."""
    rng = np.random.default_rng(seed)
    found = []
    for k in range(count):
        copied = bool(rng.random() < 0.5)
        structure, energy = (_copy if copied else _random)(rng)
        formula = structure.composition.reduced_formula
        candidate = Candidate(id=f"{formula}-{k:05d}", stage="generate", formula=formula, seed=int(rng.integers(2**62)))
        if rng.random() < 0.1:
            found.append(replace(candidate, status="failed", failed_at="screen", reason="overlap"))
            continue
        raw = structure.copy()
        raw.perturb(0.05, seed=k)
        found.append(
            replace(
                candidate, structure=structure, raw=raw, level="pbe", energies={"pbe": energy}, space_group=1,
                space_group_loose=_LOOSE if copied else 1, converged=True, relax_steps=50, seed_source="bravais",
            )
        )  # fmt: skip
    return found


class Clock:
    """Seconds of named parts: of this process, and those that passed."""

    def __init__(self) -> None:
        self.seconds: dict[str, tuple[float, float]] = {}

    def __call__(self, name: str, work: Callable[[], Any]) -> Any:
        """Return what a piece of work returns, and note its seconds under a name."""
        began = time.process_time(), time.perf_counter()
        found = work()
        self.seconds[name] = time.process_time() - began[0], time.perf_counter() - began[1]
        return found


def measure(count: int, folder: Path) -> dict[str, tuple[float, float]]:
    """Return the seconds of each part for so many candidates."""
    candidates = made_up(count)
    clock = Clock()
    batches = [candidates[k : k + BATCH] for k in range(0, count, BATCH)]
    options = {"command": "generate", "seed": 0}
    with Store(folder, options) as store:
        clock("put in batches of 8", lambda: [store.put(batch) for batch in batches])
    clock("read", lambda: read_candidates(folder))
    clock("open and read", lambda: _opened(folder, options))
    with Store(folder, options) as store:
        known = store.candidates()
        in_order = ranked(known.values())
        comparison = StructureComparison()
        final = clock("duplicates", lambda: with_duplicates(in_order, comparison))
        clock("duplicates again", lambda: with_duplicates(in_order, comparison))
        clock("put what changed", lambda: store.put(c for c in final if c != known[c.id]))
        clock("export", lambda: store.export(final))
        clock("export again", lambda: store.export(final))
    return clock.seconds


def _opened(folder: Path, options: dict[str, Any]) -> None:
    with Store(folder, options) as store:
        store.candidates()


def main() -> None:
    """Print the table."""
    counts = [int(text) for text in sys.argv[1:]] or [200, 1000, 5000]
    with tempfile.TemporaryDirectory() as place:
        measured = [measure(count, Path(place) / str(count)) for count in counts]
    print("Seconds of the process (seconds passed):\n")
    print("| candidates | " + " | ".join(map(str, counts)) + " |\n|---|" + "---|" * len(counts))
    for name in measured[0]:
        print(f"| {name} | " + " | ".join("{:.2f} ({:.2f})".format(*one[name]) for one in measured) + " |")
    sums = [[sum(part) for part in zip(*one.values(), strict=True)] for one in measured]
    print("| all | " + " | ".join("{:.1f} ({:.1f})".format(*one) for one in sums) + " |")


if __name__ == "__main__":
    main()
