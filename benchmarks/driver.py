"""What a run of very many candidates costs the process that leads it: memory, and seconds until it goes on.

Candidates are made up by an executor: what sends, stores, places, groups and exports them is the real program.

python benchmarks/driver.py run --out FOLDER       # 50,000 candidates of SrTiO3, 10 atoms each
python benchmarks/driver.py resume --out FOLDER    # eight more: seconds until the first of them is sent
python benchmarks/driver.py formulas --out FOLDER --n 10000    # 10,000 formulas with two candidates each
"""

from __future__ import annotations

import argparse
import itertools
import re
import resource
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.core import Lattice, Structure

import chggen
from chggen.crystals import parse_formula
from chggen.results import Candidate

_MINIMA = 500  # that the candidates which are no perovskites fall into
_ATOMS = ["Sr", "Ti", "O", "O", "O"] * 2
_IDEAL = Structure(
    Lattice.cubic(3.9), ["Sr", "Ti", "O", "O", "O"],
    [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
)  # fmt: skip


class MadeUp(Executor):
    """Answers each batch at once: with one in ten a perovskite, the others one of 500 random crystals, rattled."""

    def __init__(self, made: Callable[[Candidate], Candidate]) -> None:
        self._made = made
        self.first_at: float | None = None

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self.first_at is None:
            self.first_at = time.monotonic()
        future: Future[Any] = Future()
        future.set_result([self._made(job.candidate) for job in args[1]])
        return future


def _made(candidate: Candidate) -> Candidate:
    rng = np.random.default_rng(candidate.seed)
    if rng.random() < 0.1:
        structure = Structure.from_sites(list(_IDEAL * (2, 1, 1)))
        energy, group = -7.9 + abs(rng.normal(0, 0.003)), 221
    else:
        which = np.random.default_rng(int(rng.integers(_MINIMA)))
        lengths, angles = which.uniform(0.7, 1.4, 3), which.uniform(65, 115, 3)
        cell = Lattice.from_parameters(*lengths, *angles).scale(which.uniform(110, 140))
        places = which.random((10, 3)) + rng.normal(0, 0.001, (10, 3))
        structure, energy, group = Structure(cell, _ATOMS, places), -7.9 + which.uniform(0.1, 1), 1
    raw = Structure(structure.lattice, structure.species, structure.frac_coords + rng.normal(0, 0.01, (10, 3)))
    return replace(
        candidate, structure=structure, raw=raw, level="pbe", energies={"pbe": float(energy)}, space_group=group,
        space_group_loose=group, converged=True, relax_steps=50, seed_source="bravais", relax_rmsd=0.1,
        forces=tuple(map(tuple, rng.normal(0, 0.03, (10, 3)).tolist())), stress=(0.0,) * 6,
    )  # fmt: skip


def _random(candidate: Candidate) -> Candidate:
    """A random crystal of the formula of a candidate, with a toy energy that depends on the formula, too."""
    rng = np.random.default_rng(candidate.seed)
    units = int(candidate.id.split("-z")[1].split("-")[0])
    kinds = [symbol for symbol, n in parse_formula(candidate.formula).items() for _ in range(units * n)]
    cell = Lattice.cubic(float((12 * len(kinds)) ** (1 / 3)))
    structure = Structure(cell, kinds, rng.random((len(kinds), 3)))
    energy = -5 + 0.3 * np.random.default_rng(list(candidate.formula.encode())).random() + 0.1 * rng.random()
    return replace(
        candidate, structure=structure, raw=structure, level="pbe", energies={"pbe": float(energy)}, space_group=1,
        space_group_loose=1, converged=True, relax_steps=50, seed_source="bravais", relax_rmsd=0.1,
    )  # fmt: skip


def _formulas(count: int) -> list[str]:
    """So many ternary and quaternary oxides."""
    cations = re.findall("[A-Z][a-z]?", "LiNaKMgCaSrBaAlGaInTiZrVCrMnFeCoNiZnYLaCeSiGeSn")
    numbers = itertools.product((1, 2, 3), (1, 2, 3), (3, 4, 5, 6, 7))
    pairs = list(itertools.permutations(cations, 2))
    every = (f"{a}{m}{b}{n}O{o}" for m, n, o in numbers for a, b in pairs)
    found = list(dict.fromkeys(every))
    assert len(found) >= count
    return found[:count]


def _lead_formulas(out: Path, count: int) -> None:
    began, cpu = time.monotonic(), time.process_time()
    executor = MadeUp(_random)
    found = chggen.predict(
        formulas=_formulas(count), n=2, out=out / f"formulas-{count}", executor=executor, batch_size=8, progress=None,
        per_framework=1, second_level_below=None,
    )  # fmt: skip
    used = time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{count} formulas, {len(found)} candidates in {time.monotonic() - began:.0f} s: {used:.0f} s of CPU, "
        f"{1000 * used / len(found):.1f} ms a candidate; {peak:.2f} GiB at most"
    )


def _lead(out: Path, n: int) -> None:
    executor = MadeUp(_made)
    stages: list[tuple[float, str]] = []

    def progress(stage: str, done: int, total: int, bad: int) -> None:
        if not stages or stages[-1][1] != stage:
            stages.append((time.monotonic(), stage))

    began, cpu = time.monotonic(), time.process_time()
    found = chggen.generate("SrTiO3", n=n, out=out / "run", executor=executor, batch_size=8, progress=progress, seed=0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    first = (executor.first_at or began) - began
    print(
        f"{len(found)} candidates; first batch sent after {first:.1f} s, all done after "
        f"{time.monotonic() - began:.0f} s ({time.process_time() - cpu:.0f} s of CPU); {peak:.2f} GiB at most"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "resume", "formulas"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--n", type=int, default=50_000)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.what == "formulas":
        _lead_formulas(given.out, given.n)
        return
    _lead(given.out, given.n + 8 * (given.what == "resume"))


if __name__ == "__main__":
    main()
