"""Simulated powder patterns of known crystals, and the candidates among which each crystal is to be found.

The pattern is that of the crystal with its volume off by 2 %, with noise, a zero shift and an amorphous hump. The
candidates are the crystal as a relaxed candidate would be, and decoys of the same composition.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hosts import IDS, structures
from pymatgen.analysis.diffraction.xrd import XRDCalculator
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure

from chggen.errors import InputError
from chggen.generation import Host, PrototypeCell, SpaceGroupCell, count_prototypes, volume_per_atom
from chggen.symmetry import Orbits, operations

N_CANDIDATES = 20
_VOLUME_ERROR = 0.02
_STRAIN = 0.01
_RATTLE = 0.02  # Å, rms of each atom
_PEAK_COUNTS = 10_000  # of the strongest peak, whose Poisson noise is 1 %
_AMORPHOUS = 0.1  # height of the hump over that of the strongest peak
_FLAT = 0.02  # height of the constant background over that of the strongest peak
_GRID = (10.0, 90.0, 0.02)  # 2θ, degrees
_CLOSEST = 1.0  # Å; decoys with closer atoms are left out, as a run leaves them out
_ZERO_SHIFT = 0.1  # degrees, at most
_WIDTHS = (0.1, 0.25)  # FWHM at low angles, degrees


@dataclass(frozen=True)
class Scan:
    """A simulated measurement: 2θ in degrees, counts, and the truth behind it."""

    two_theta: np.ndarray
    counts: np.ndarray
    volume_factor: float
    zero_shift: float


def crystals(data: Path, split: str, most: int, seed: int = 0) -> dict[str, Structure]:
    """Crystals of a split: the committed ones of `test`, of another split some drawn at random."""
    listed = IDS / "powder.json"
    if split == "test" and listed.exists():
        wanted = json.loads(listed.read_text())["ids"][:most]
    else:
        table = dict(np.load(data / "mp20.npz"))
        of_split = np.flatnonzero(table["split"] == split)
        wanted = [str(table["ids"][i]) for i in np.random.default_rng(seed).permutation(of_split)[:most]]
    found = structures(data / "mp20.npz", lambda numbers, key: True, np.isin(np.load(data / "mp20.npz")["ids"], wanted))
    return {key: found[key] for key in wanted}


def scan(crystal: Structure, seed: int) -> Scan:
    """Simulate the measurement of a crystal."""
    rng = np.random.default_rng([seed, 1])
    factor = 1 + _VOLUME_ERROR * rng.choice([-1, 1])
    shift = float(rng.uniform(-_ZERO_SHIFT, _ZERO_SHIFT))
    measured = crystal.copy()
    measured.scale_lattice(crystal.volume * factor)
    low, high, step = _GRID
    two_theta = np.arange(low, high + step / 2, step)
    peaks = XRDCalculator("CuKa").get_pattern(measured, two_theta_range=(low - 2, high + 2))
    counts = np.zeros_like(two_theta)
    width, mixing = rng.uniform(*_WIDTHS), rng.uniform(0.3, 0.7)
    for place, height in zip(peaks.x, peaks.y, strict=True):
        theta = np.radians(place / 2)
        fwhm = width * np.sqrt(1 + 0.5 * np.tan(theta) ** 2)
        off = (two_theta - place - shift) / fwhm
        lorentz = 2 / np.pi / (1 + 4 * off**2)
        gauss = 2 * np.sqrt(np.log(2) / np.pi) * np.exp(-4 * np.log(2) * off**2)
        counts += height / fwhm * (mixing * lorentz + (1 - mixing) * gauss)
    counts /= counts.max()
    counts += _AMORPHOUS * np.exp(-(((two_theta - rng.uniform(20, 30)) / 8) ** 2)) + _FLAT
    return Scan(two_theta, rng.poisson(_PEAK_COUNTS * counts).astype(float), factor, shift)


def relaxed_like(crystal: Structure, seed: int, symmetric: bool = True) -> Structure:
    """The crystal as a relaxed candidate would be: cell strained by 1 %, volume kept, atoms moved by 0.02 Å.

    symmetric: whether the strain keeps the symmetry of the cell, as relaxation does; a cubic cell stays as it is.
    """
    rng = np.random.default_rng([seed, 2])
    draw = rng.normal(size=(3, 3))
    strain = draw + draw.T
    if symmetric:
        lattice = crystal.lattice.matrix.T
        turns = [lattice @ r @ np.linalg.inv(lattice) for r, _ in zip(*operations(crystal), strict=True)]
        strain = np.mean([q @ strain @ q.T for q in turns], axis=0)
    strain -= np.eye(3) * np.trace(strain) / 3
    largest = np.abs(np.linalg.eigvalsh(strain)).max()
    strain *= _STRAIN / largest if largest > 1e-6 else 0
    cell = crystal.lattice.matrix @ (np.eye(3) + strain)
    moved = Structure(cell, crystal.species, crystal.frac_coords)
    shifts = rng.normal(scale=_RATTLE / np.sqrt(3), size=(len(crystal), 3))
    return Structure(cell, crystal.species, moved.cart_coords + shifts, coords_are_cartesian=True)


def decoys(crystal: Structure, seed: int, count: int = N_CANDIDATES - 1) -> tuple[list[Structure], Counter[str]]:
    """Other structures of the composition, and how many of them came from where.

    They are what a run starts from, without relaxation: the likeliest prototypes, then cells of space groups with atoms
    on their orbits. Those that are the crystal are left out. Where nothing else is left, species are swapped over the
    sites of the crystal and of what was made.
    """
    matcher = StructureMatcher()
    found: list[Structure] = []
    sources: Counter[str] = Counter()
    rng = np.random.default_rng([seed, 3])
    for source, structure in _drawn(crystal, rng, count, found):
        if len(found) == count:
            break
        if structure.is_valid(_CLOSEST) and not matcher.fit(crystal, structure):
            found.append(structure)
            sources[source] += 1
    return found, sources


def _drawn(
    crystal: Structure, rng: np.random.Generator, count: int, found: list[Structure]
) -> Iterator[tuple[str, Structure]]:
    """Structures of the composition of a crystal with their sources, the likeliest prototypes first."""
    species = {symbol: int(n) for symbol, n in crystal.composition.get_el_amt_dict().items()}
    volume = len(crystal) * volume_per_atom(species)
    for rank in range(min(count_prototypes(species), 2 * count)):
        yield "prototype", _filled(PrototypeCell(species, volume, rank).draw(int(rng.integers(2**31))))
    for _ in range(count):
        try:
            yield "space-group", _filled(SpaceGroupCell(species, volume).draw(int(rng.integers(2**31))))
        except InputError:  # the species fit no group
            break
    bases = [crystal, *found]
    while True:
        base = bases[int(rng.integers(len(bases)))]
        swapped = Structure(base.lattice, rng.permutation(base.species).tolist(), base.frac_coords)
        swapped.scale_lattice(base.volume * rng.uniform(0.96, 1.04))
        yield "swapped", swapped


def _filled(drawn: tuple[Host, Orbits]) -> Structure:
    """The structure of a cell with its atoms on their orbits."""
    host, orbits = drawn
    symbols = [symbol for symbol, n in host.guests.items() for _ in range(n)]
    return Structure(host.framework.lattice, symbols, orbits.frac)


def candidates(key: str, crystal: Structure, seed: int, out: Path) -> tuple[list[Structure], Counter[str]]:
    """Decoys of a crystal, kept in a folder, and how many of them came from where."""
    kept = out / "decoys" / f"{key}.json"
    if not kept.exists():
        made, sources = decoys(crystal, seed)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps({"sources": sources, "decoys": [s.as_dict() for s in made]}))
    said = json.loads(kept.read_text())
    return [Structure.from_dict(one) for one in said["decoys"]], Counter(said["sources"])
