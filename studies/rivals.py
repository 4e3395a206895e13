"""What the studies compare with: random cells, and guests at random in a host, relaxed alike."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
from ase.data import covalent_radii
from pymatgen.core import Element, Lattice, Structure
from study import Row

import chggen
from chggen import Candidates
from chggen.crystals import parse_formula
from chggen.generation import random_bravais_cell, volume_per_atom
from chggen.symmetry import space_group

_DISTANCES = (1.6, 1.4, 1.2, 1.0, 0.8, 0.5)  # Å, the next where a guest does not fit


def relaxations(candidates: Candidates) -> int:
    """Relaxations behind candidates; symmetric ones are relaxed, pushed off their symmetry and relaxed again."""
    own = [c for c in candidates if c.failed_at not in ("draw", "sample", "screen") and not c.id.endswith("-low")]
    return len(own) + sum(c.energy_per_atom is not None and c.seed_source != "bravais" for c in own)


def random_cells(counts: Mapping[str, int], n: int, seed: int) -> list[Structure]:
    """Random Bravais cells at the program's volume, atoms at random, 0.75 of their bond lengths apart where it can be.

    Args:
        counts: Element to the number of its atoms.
        n: How many.
        seed: Random seed.
    """
    symbols = [symbol for symbol, k in counts.items() for _ in range(k)]
    radii = np.array([covalent_radii[Element(symbol).Z] for symbol in symbols])
    volume, found = len(symbols) * volume_per_atom(dict(counts)), []
    for k in range(n):
        rng = np.random.default_rng([seed, k])
        lattice = Lattice(random_bravais_cell(volume, rng).tolist())
        frac = rng.random((1, 3))
        for j in range(1, len(symbols)):
            tries = rng.random((100, 3))
            apart = (lattice.get_all_distances(tries, frac) / (0.75 * (radii[:j] + radii[j]))).min(axis=1)
            frac = np.concatenate([frac, tries[[int(np.argmax(np.where(apart >= 1, np.inf, apart)))]]])
        found.append(Structure(lattice, symbols, frac))
    return found


def relaxed_cell(job: tuple[str, int, int]) -> Row:
    """What becomes of a random cell of a formula, so many of its units and a seed, that is relaxed."""
    formula, units, seed = job
    began = time.process_time()
    counts = {symbol: units * n for symbol, n in parse_formula(formula).items()}
    (done,) = chggen.relax(random_cells(counts, 1, seed))
    row: Row = {"formula": formula, "arm": "random", "id": f"{formula}-z{units}-{seed:04d}", "stage": "random"}
    row |= {"atoms": sum(counts.values()), "source": "random", "failed_at": None if done.converged else "relax"}
    if done.converged:
        e_d = chggen.hull(formula, done.energy_per_atom).e_decomposition
        row |= {"change": round(done.energy_per_atom - done.initial_energy_per_atom, 4), "moved": round(done.rmsd, 4)}
        row |= {"relative": round(done.rmsd / (done.structure.volume / len(done.structure)) ** (1 / 3), 4)}
        row |= {"e_d": {"pbe": round(e_d, 4)}, "group": space_group(done.structure, 0.1), "duplicate": False}
    return row | {"seconds": time.process_time() - began}


def random_filling(
    host: Structure, guests: Mapping[str, int], seed: int, heights: tuple[float, float] = (0.0, 1.0)
) -> Structure:
    """Guests one by one at random places of a host, no closer to any atom than 1.6 Å, less only where none fits.

    Args:
        host: The host.
        guests: Element to the number of its atoms.
        seed: Random seed.
        heights: Fractional heights along the third axis, between which guests go.
    """
    rng, filled = np.random.default_rng(seed), host.copy()
    for symbol in (symbol for symbol, k in guests.items() for _ in range(k)):
        tries = rng.random((1500, 3))
        tries[:, 2] = heights[0] + (heights[1] - heights[0]) * tries[:, 2]
        nearest = filled.lattice.get_all_distances(tries, filled.frac_coords).min(axis=1)
        least = next((d for d in _DISTANCES if (nearest >= d).any()), 0.0)
        filled.append(symbol, tries[int(np.argmax(nearest >= least))])
    return filled
