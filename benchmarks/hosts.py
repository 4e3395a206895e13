"""The crystals of the benchmark rows: which they are, what is taken out, and when a sample counts as a hit."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Element, Lattice, Structure
from scipy.optimize import linear_sum_assignment

from chggen.symmetry import operations

IDS = Path(__file__).parent / "ids"
_NEAR = 0.5  # Å between a guest and its true site


@dataclass(frozen=True)
class Case:
    """A crystal and the indices of the atoms taken out of it."""

    id: str
    crystal: Structure
    guests: tuple[int, ...]

    @property
    def framework(self) -> Structure:
        kept = self.crystal.copy()
        kept.remove_sites(list(self.guests))
        return kept

    @property
    def counts(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for i in self.guests:
            symbol = self.crystal[i].specie.symbol
            counts[symbol] = counts.get(symbol, 0) + 1
        return counts


def structures(path: Path, keep: Callable[[np.ndarray, str], bool], mask: np.ndarray) -> dict[str, Structure]:
    """Crystals of an npz of the development data where mask is True and keep(atomic numbers, id)."""
    data = dict(np.load(path))  # read once: an archive unpacks an array at each look
    found = {}
    for i in np.flatnonzero(mask):
        atoms = slice(data["offsets"][i], data["offsets"][i + 1])
        numbers = data["Z"][atoms]
        if keep(numbers, str(data["ids"][i])):
            lattice = Lattice.from_parameters(*data["cell"][i].astype(float))
            found[str(data["ids"][i])] = Structure(
                lattice, [Element.from_Z(int(z)) for z in numbers], data["frac"][atoms].astype(float)
            )
    return found


def cases(row: str, data: Path, most: int) -> list[Case]:
    """The committed cases of a row, at most `most`."""
    listed = json.loads((IDS / f"{row}.json").read_text())["cases"][:most]
    wanted = {entry["id"]: tuple(entry["guests"]) for entry in listed}
    path = data / ("mp_structures.npz" if row == "mobile-large" else "mp20.npz")
    ids = np.load(path)["ids"]
    found = structures(path, lambda numbers, key: True, np.isin(ids, list(wanted)))
    return [Case(key, found[key], guests) for key, guests in wanted.items()]


def verdict(case: Case, sample: Structure) -> tuple[bool, bool]:
    """Match: composition kept and default StructureMatcher fits; hit: also every guest within 0.5 Å of its true site.

    The sample holds the framework's atoms in the crystal's order, then the guests. The guests are compared over the
    framework's symmetry operations and the best assignment; a common shift of the host atoms is taken off first.
    """
    if not np.isfinite(sample.frac_coords).all() or sample.composition != case.crystal.composition:
        return False, False
    match = bool(StructureMatcher().fit(case.crystal, sample))
    return match, match and (not len(case.framework) or guests_near(case, sample))


def guests_near(case: Case, sample: Structure, near: float = _NEAR) -> bool:
    """Every guest within `near` Å of its true site, by the rule of verdict."""
    framework = case.framework
    n = len(framework)
    drift = sample.frac_coords[:n] - framework.frac_coords
    drift = (drift - np.round(drift)).mean(axis=0)
    placed = sample.frac_coords[n:] - drift
    placed_z = np.array([s.specie.Z for s in sample[n:]])
    true = case.crystal.frac_coords[list(case.guests)]
    true_z = np.array([case.crystal[i].specie.Z for i in case.guests])
    for rotation, translation in zip(*operations(framework), strict=True):
        distance = sample.lattice.get_all_distances(true @ rotation.T + translation, placed)
        far = (distance > near) | (true_z[:, None] != placed_z[None, :])
        rows, columns = linear_sum_assignment(far)
        if not far[rows, columns].any():
            return True
    return False


def random_placement(case: Case, rng: np.random.Generator) -> Structure:
    """The rival: guests one by one at uniform positions, no closer to any atom than a distance.

    The distance starts at 1.6 Å and falls through 1.4, 1.2, 1.0, 0.8 to 0.5 Å when 50 tries of 30 draws a guest fail.
    """
    for closest in (1.6, 1.4, 1.2, 1.0, 0.8, 0.5, 0.0):
        for _ in range(50):
            placed = _place(case, rng, closest)
            if placed is not None:
                return placed
    raise AssertionError("unreachable: distance 0 accepts every draw")


def _place(case: Case, rng: np.random.Generator, closest: float) -> Structure | None:
    structure = case.framework.copy()
    for symbol, count in case.counts.items():
        for _ in range(count):
            for _ in range(30):
                frac = rng.random(3)
                others = structure.frac_coords.reshape(-1, 3)
                if not len(others) or structure.lattice.get_all_distances(frac[None], others).min() >= closest:
                    structure.append(symbol, frac)
                    break
            else:
                return None
    return structure
