"""Empty cells of a space group, or of a known prototype, with orbits for all atoms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from chggen.crystals import lattice_from_parameters, niggli_reduced
from chggen.errors import InputError
from chggen.generation.host import Host, empty_host
from chggen.generation.host_orbits import free_volume_of
from chggen.generation.prototypes import Prototype
from chggen.generation.random_cells import flat
from chggen.generation.space_group_statistics import Assignment, draw_assignment, draw_shape, soften_shape
from chggen.generation.start import CellDrawer
from chggen.io import MAX_ATOMS
from chggen.symmetry import FreeVolume, Group, OrbitPlan, Setting, WyckoffPosition, plan_orbits, setting

_LOWERED: Final = 0.25  # of the drawn space groups are replaced by one of their subgroups
SHAPE_DRAWS: Final = 5  # shapes drawn by a model before a flat one is taken
_DRAWS: Final = 200  # space groups and cells before a formula is said to fit none


def symmetric_cell(
    species: Mapping[str, int],
    cell_volume: float,
    rng: np.random.Generator,
    number: int | None = None,
    shapes: CellDrawer | None = None,
) -> Host:
    """An empty primitive cell of a space group, drawn as known crystals have it, with orbits for all atoms.

    species: atoms in that cell; cell_volume in Å³; number: the space group, None for a drawn one; shapes: what draws
    the cell, None: as known crystals have it. Raises InputError where the species do not fit the group, or any.
    """
    for _ in range(_DRAWS):
        assignment = draw_assignment(species, rng, number)
        found = setting(assignment.number)
        lattice, group, positions = _cell(found, species, cell_volume, rng, shapes)
        host = empty_host(lattice.tolist(), species)
        plan = _assigned(free_volume_of(host), group, positions, assignment, rng if number is None else None)
        if plan is not None:
            return replace(host, orbits=plan)
        if number is not None and assignment.letters is None and not _fits(species, found):
            break  # nothing else can come
    where = "any space group" if number is None else f"space group {number} ({setting(number).symbol})"
    counts = ", ".join(f"{n} {s}" for s, n in species.items())
    raise InputError(f"{counts} in a primitive cell do not fit {where}; {_units_that_fit(species, number)}")


def prototype_cell(
    species: Mapping[str, int], cell_volume: float, prototype: Prototype, rng: np.random.Generator | None = None
) -> Host:
    """An empty primitive cell of that volume (Å³) with the orbits of a prototype; rng: to change its axes by 3 %."""
    found = setting(prototype.number)
    shape = np.array([1.0, *prototype.shape])
    if rng is not None:
        shape = soften_shape(shape, prototype.number, rng)
    lattice, group, positions = _reduced(found, found.primitive @ lattice_from_parameters(shape), cell_volume)
    host = empty_host(lattice.tolist(), species)
    letters = [p.letter for p in positions]
    order = list(species)
    pairs = [(letters.index(letter), order.index(symbol)) for symbol, letter, _ in prototype.orbits]
    plan = OrbitPlan.known(free_volume_of(host), group, positions, pairs, [free for _, _, free in prototype.orbits])
    return replace(host, orbits=plan)


def _cell(
    found: Setting, species: Mapping[str, int], cell_volume: float, rng: np.random.Generator, shapes: CellDrawer | None
) -> tuple[np.ndarray, Group, tuple[WyckoffPosition, ...]]:
    """A reduced primitive cell of the volume, and the group and its positions in that cell."""
    rhombohedral = found.symbol.startswith("R")
    tries = 0
    while True:
        if shapes is not None and tries < SHAPE_DRAWS:
            primitive = shapes(species, cell_volume, int(rng.integers(2**62)), found.group.rotations)
        else:
            primitive = found.primitive @ lattice_from_parameters(draw_shape(found.number, rhombohedral, rng))
        if not flat((cell := _reduced(found, primitive, cell_volume))[0]):
            return cell
        tries += 1


def _reduced(
    found: Setting, primitive: np.ndarray, cell_volume: float
) -> tuple[np.ndarray, Group, tuple[WyckoffPosition, ...]]:
    """The reduced cell of the primitive one of a setting, scaled to the volume, with its group and positions."""
    lattice = primitive * (cell_volume / abs(np.linalg.det(primitive))) ** (1 / 3)
    multiple = np.round(niggli_reduced(lattice) @ np.linalg.inv(lattice)).astype(int)
    if abs(round(np.linalg.det(multiple))) != 1:
        multiple = np.eye(3, dtype=int)
    return multiple @ lattice, found.group.in_basis(multiple), tuple(p.in_basis(multiple) for p in found.positions)


def _assigned(
    around: FreeVolume,
    group: Group,
    positions: tuple[WyckoffPosition, ...],
    assignment: Assignment,
    rng: np.random.Generator | None,
) -> OrbitPlan | None:
    """Orbits as assigned; with rng at times in a subgroup instead.

    A crystal may be less symmetric than those that are known of its kind.
    """
    if rng is not None and rng.random() < _LOWERED:
        lower = list(group.subgroups())
        return plan_orbits(around, group, positions, [lower[int(rng.integers(len(lower)))]])
    plan = plan_orbits(around, group, positions, [np.arange(len(group))])
    if plan is None or assignment.letters is None:
        return plan
    from pymatgen.core import Element

    letters = {Element(symbol).Z: text for symbol, text in assignment.letters.items()}
    return plan.with_letters([letters[z] for z in around.guests])


def _units_that_fit(species: Mapping[str, int], number: int | None) -> str:
    """Which multiples of the formula fit a space group."""
    if number is None:
        return "use --space-group none"
    units = math.gcd(*species.values())
    many = {z: {s: n // units * z for s, n in species.items()} for z in range(1, 13)}
    fit = [str(z) for z, some in many.items() if sum(some.values()) <= MAX_ATOMS and _fits(some, setting(number))]
    return f"formula units that fit: {', '.join(fit)}" if fit else "no cell of up to 12 formula units does"


def _fits(species: Mapping[str, int], found: Setting) -> bool:
    """Whether the counts fit a space group in a cell so wide that only they matter."""
    host = empty_host((found.primitive * 100).tolist(), species)
    return plan_orbits(free_volume_of(host), found.group, found.positions, [np.arange(len(found.group))]) is not None
