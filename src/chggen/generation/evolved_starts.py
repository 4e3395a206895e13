"""Starts made of the lowest crystals that a run has found so far: changed a little, or in part made anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from chggen.errors import InputError
from chggen.generation.cell_starts import SpaceGroupCell
from chggen.generation.host import Host, empty_host, strip_guests
from chggen.generation.host_orbits import on_orbits, symmetrised
from chggen.generation.host_starts import GivenHost, PrototypeSites
from chggen.generation.space_group_statistics import Assignment
from chggen.symmetry import FreeVolume, Group, Orbits, above_trivial, group_of, host_orbits, refine, taken_positions

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from chggen.generation.start import Start

SOURCE: Final = "evolve"
_SCALE: Final = 0.05  # eV/atom; a parent so far above the lowest is drawn 1/e times as often
_SYMPREC: Final = 0.1  # Å
_SHAKEN: Final = (0.3, 0.6, 1.0)  # Å; noise levels that a parent goes back to
_LITTLE: Final = 0.1  # Å; and one whose atoms have changed places
_STRAIN: Final = 0.08  # standard deviation of the components of a strain
_PART: Final = 1 / 3  # of the atoms of a parent that are made anew around a point
_LEAST_FREEDOM: Final = 3  # free coordinates of a parent whose atoms are placed anew on its positions
_MOST_OPERATIONS: Final = 200  # of a group whose subgroups are looked for


@dataclass(frozen=True)
class Parent:
    """A relaxed crystal that a run has found.

    Attributes:
        structure: The crystal.
        energy: Its energy, eV/atom.
    """

    structure: Structure
    energy: float


def evolved(parents: Sequence[Parent], volume: float, rng: np.random.Generator) -> Start | None:
    """Return a start that one of the parents is changed to.

    The lower a parent, the likelier it is taken. One of these changes is drawn: its atoms are shaken, in its group, in
    a subgroup or without symmetry, and denoised from there; its cell is strained before that; orbits of two species
    change places; one species is taken out and inpainted in the symmetrised rest, as the paper does with its guests; a
    third of the atoms, around a point, is taken out and inpainted; all atoms are placed anew on the parent's Wyckoff
    positions, in many tries, since a race tries most assignments once. Ideas of evolutionary searches (Glass, Oganov
    and Hansen, Comput. Phys. Commun. 175, 713, 2006), the score network doing what cut and splice does there.

    Args:
        parents: The parents, the lowest first.
        volume: Volume of the cell, Å³, to which a strained one is brought.
        rng: Random numbers.

    Returns:
        The start; None where no change can be made of the parent that was drawn.
    """
    heights = np.array([parent.energy - parents[0].energy for parent in parents])
    odds = np.exp(-heights / _SCALE)
    parent = parents[int(rng.choice(len(parents), p=odds / odds.sum()))].structure
    changes = _changes(volume)
    for k in rng.permutation(len(changes)):
        start = changes[int(k)](parent, rng)
        if start is not None:
            return start
    return None


def _changes(volume: float) -> list[Callable[[Structure, np.random.Generator], Start | None]]:
    """Return the changes; a shake is twice as likely as each of the others."""
    return [
        _shaken,
        _shaken,
        lambda parent, rng: _strained(parent, volume, rng),
        _exchanged,
        _without_species,
        _without_part,
        lambda parent, rng: _placed_anew(parent, volume),
    ]


def _shaken(parent: Structure, rng: np.random.Generator) -> Start:
    """Return the parent's sites at a noise level, on the orbits of its group, of a subgroup, or free."""
    return _around(parent, float(rng.choice(_SHAKEN)), rng)


def _strained(parent: Structure, volume: float, rng: np.random.Generator) -> Start:
    """Return the parent in a cell that is strained within its group."""
    structure = _symmetric(parent)
    group = group_of(structure)
    matrix = structure.lattice.matrix
    strain = rng.normal(0.0, _STRAIN, (3, 3))
    given = matrix @ (np.eye(3) + (strain + strain.T) / 2)
    metric = given @ given.T
    if group is not None:
        metric = np.mean([rotation.T @ metric @ rotation for rotation in group.rotations], axis=0)
    cell = np.linalg.cholesky(metric)
    cell *= (volume / abs(np.linalg.det(cell))) ** (1 / 3)
    return _around(type(structure)(cell, structure.species, structure.frac_coords), float(rng.choice(_SHAKEN)), rng)


def _exchanged(parent: Structure, rng: np.random.Generator) -> Start | None:
    """Return the parent after an orbit of one species and one of another, of as many atoms, changed places."""
    structure = _symmetric(parent)
    group = group_of(structure)
    if group is None:
        return None
    numbers = np.array(structure.atomic_numbers)
    representative = _orbits(structure, group, np.arange(len(group))).representative
    sizes = np.bincount(representative, minlength=len(numbers))
    heads = np.unique(representative)
    pairs = [
        (a, b) for i, a in enumerate(heads) for b in heads[i + 1 :] if numbers[a] != numbers[b] and sizes[a] == sizes[b]
    ]
    if not pairs:
        return None
    a, b = pairs[int(rng.integers(len(pairs)))]
    changed = numbers.copy()
    changed[representative == a], changed[representative == b] = numbers[b], numbers[a]
    return _around(type(structure)(structure.lattice, changed.tolist(), structure.frac_coords), _LITTLE, rng)


def _without_species(parent: Structure, rng: np.random.Generator) -> Start | None:
    """Return the symmetrised rest of the parent without a species, which is to be inpainted on orbits or anywhere."""
    species = list(dict.fromkeys(site.specie.symbol for site in parent))
    if len(species) < 2:
        return None
    taken = species[int(rng.integers(len(species)))]
    host = strip_guests(parent, [taken])
    if rng.random() < 0.5:
        return GivenHost(host)
    try:
        return GivenHost(on_orbits(replace(host, framework=symmetrised(host.framework).structure)))
    except InputError:  # of what is left without symmetry, or of counts that fit no orbits
        return GivenHost(host)


def _without_part(parent: Structure, rng: np.random.Generator) -> Start | None:
    """Return the parent without the third of its atoms that is nearest to a point, to be inpainted anywhere."""
    count = max(1, round(_PART * len(parent)))
    if count >= len(parent):
        return None
    away = parent.lattice.get_all_distances(rng.random((1, 3)), parent.frac_coords)[0]
    taken = np.zeros(len(parent), dtype=bool)
    taken[np.argsort(away, kind="stable")[:count]] = True
    return GivenHost(_host(parent, taken))


def _placed_anew(parent: Structure, volume: float) -> Start | None:
    """Return drawn places on the parent's own Wyckoff positions, in drawn cells of its group."""
    found = taken_positions(parent, _SYMPREC)
    if found is None or found.number == 1 or not found.primitive or found.freedom < _LEAST_FREEDOM:
        return None
    species = {str(symbol): int(n) for symbol, n in parent.composition.items()}
    assignment = Assignment(number=found.number, letters=found.letters)
    return SpaceGroupCell(species, volume, assignment=assignment, named=SOURCE)


def _host(parent: Structure, taken: np.ndarray) -> Host:
    """Return the parent without some atoms, and these as its guests."""
    left = parent.copy()
    left.remove_sites(np.flatnonzero(taken).tolist())
    guests: dict[str, int] = {}
    for k in np.flatnonzero(taken):
        symbol = parent[int(k)].specie.symbol
        guests[symbol] = guests.get(symbol, 0) + 1
    return Host(framework=left, guests=guests)


def _symmetric(crystal: Structure) -> Structure:
    """Return a crystal made exactly symmetric; itself where that cannot be done."""
    found = refine(crystal, _SYMPREC)
    return crystal if found is None else found.structure


def _around(crystal: Structure, sigma: float, rng: np.random.Generator) -> PrototypeSites:
    """Return all atoms of a crystal as guests at their sites: in its group, in a subgroup or free, a third each."""
    found = refine(crystal, _SYMPREC)
    structure = (crystal if found is None else found.structure).get_sorted_structure(key=lambda site: site.specie.Z)
    counts: dict[str, int] = {}
    for site in structure:
        counts[site.specie.symbol] = counts.get(site.specie.symbol, 0) + 1
    given = GivenHost(empty_host(structure.lattice.matrix.tolist(), counts))
    orbits = None
    if found is not None and above_trivial(found.space_group) and (kind := rng.integers(3)) > 0:
        group = group_of(structure)
        if group is not None and not group.trivial:
            orbits = _orbits(structure, group, _subgroup(group, rng) if kind == 1 else np.arange(len(group)))
    return PrototypeSites(given, np.asarray(structure.frac_coords), orbits, start_sigma=sigma, source=SOURCE)


def _subgroup(group: Group, rng: np.random.Generator) -> np.ndarray:
    """Return the operations of a smaller subgroup above P1 and P-1; of the group itself where there is none."""
    whole = np.arange(len(group))
    if len(group) > _MOST_OPERATIONS:
        return whole
    smaller = [members for members in group.subgroups() if len(members) < len(group)]
    return smaller[int(rng.integers(len(smaller)))] if smaller else whole


def _orbits(structure: Structure, group: Group, members: np.ndarray) -> Orbits:
    """Return the orbits of all atoms of a symmetrised structure under some operations of its group."""
    cell = FreeVolume(
        lattice=np.asarray(structure.lattice.matrix),
        frac=np.asarray(structure.frac_coords),
        numbers=np.array(structure.atomic_numbers),
        guests={},
    )
    return host_orbits(cell, group, members)
