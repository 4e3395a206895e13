"""Empty cells of a space group or of a known prototype, with orbits for all atoms."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
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

_LOWERED: Final = 0.25  # share of the drawn space groups that are replaced by one of their subgroups
SHAPE_DRAWS: Final = 5  # most cells that a score model draws to get one that is not flat
_DRAWS: Final = 200  # space groups and cells that are drawn before a formula is said to fit none


def symmetric_cell(
    species: Mapping[str, int],
    cell_volume: float,
    rng: np.random.Generator,
    number: int | None = None,
    cell_drawer: CellDrawer | None = None,
    assigned: Callable[[np.random.Generator], Assignment] | None = None,
) -> Host:
    """Draw an empty primitive cell of a space group, with orbits for all atoms.

    Space group and Wyckoff positions are drawn from the statistics of known crystals (see `draw_assignment`), a quarter
    of them replaced by those of a subgroup, where nothing else draws them.

    Args:
        species: Element symbol to number of atoms in the primitive cell.
        cell_volume: Volume of the primitive cell in Å³.
        rng: Random generator.
        number: International number of the space group. None draws one.
        cell_drawer: Score model that draws the shape of the cell. None draws it from the statistics of known crystals
            (see `draw_shape`).
        assigned: What draws space group and Wyckoff positions, which are then kept as they are.

    Returns:
        A host without atoms, in the reduced primitive cell, with a plan of the orbits of its guests.

    Raises:
        InputError: The species do not fit the space group, or no space group at all. The message names numbers of
            formula units that do fit the group.
    """
    for _ in range(_DRAWS):
        assignment = draw_assignment(species, rng, number) if assigned is None else assigned(rng)
        group_setting = setting(assignment.number)
        lattice, group, positions = _cell(group_setting, species, cell_volume, rng, cell_drawer)
        host = empty_host(lattice.tolist(), species)
        lowered = rng if number is None and assigned is None else None
        plan = _assigned(free_volume_of(host), group, positions, assignment, lowered)
        if plan is not None:
            return replace(host, orbits=plan)
        if number is not None and assignment.letters is None and not _fits(species, group_setting):
            break  # no other draw can fit either
    where = "any space group" if number is None else f"space group {number} ({setting(number).symbol})"
    counts = ", ".join(f"{n} {s}" for s, n in species.items())
    raise InputError(f"{counts} in a primitive cell do not fit {where}; {_units_that_fit(species, number)}")


def prototype_cell(
    species: Mapping[str, int], cell_volume: float, prototype: Prototype, rng: np.random.Generator | None = None
) -> Host:
    """Return an empty primitive cell with the orbits of a known prototype.

    Args:
        species: Element symbol to number of atoms in the primitive cell, the same species as the prototype's.
        cell_volume: Volume of the primitive cell in Å³.
        prototype: The prototype.
        rng: Random generator that changes the axis ratios by 3 %. None leaves them as they are.

    Returns:
        A host without atoms, in the reduced primitive cell, with a plan of the prototype's orbits for its guests.
    """
    group_setting = setting(prototype.number)
    shape = np.array([1.0, *prototype.shape])
    if rng is not None:
        shape = soften_shape(shape, prototype.number, rng)
    primitive = group_setting.primitive @ lattice_from_parameters(shape)
    lattice, group, positions = _reduced(group_setting, primitive, cell_volume)
    host = empty_host(lattice.tolist(), species)
    letters = [p.letter for p in positions]
    order = list(species)
    pairs = [(letters.index(letter), order.index(symbol)) for symbol, letter, _ in prototype.orbits]
    plan = OrbitPlan.known(free_volume_of(host), group, positions, pairs, [free for _, _, free in prototype.orbits])
    return replace(host, orbits=plan)


def _cell(
    group_setting: Setting,
    species: Mapping[str, int],
    cell_volume: float,
    rng: np.random.Generator,
    cell_drawer: CellDrawer | None,
) -> tuple[np.ndarray, Group, tuple[WyckoffPosition, ...]]:
    """Draw a reduced primitive cell of this volume (Å³) that is not flat; return it with its group and positions."""
    rhombohedral = group_setting.symbol.startswith("R")
    tries = 0
    while True:
        if cell_drawer is not None and tries < SHAPE_DRAWS:
            primitive = cell_drawer(species, cell_volume, int(rng.integers(2**62)), group_setting.group.rotations)
        else:
            shape = draw_shape(group_setting.number, rhombohedral, rng)
            primitive = group_setting.primitive @ lattice_from_parameters(shape)
        if not flat((cell := _reduced(group_setting, primitive, cell_volume))[0]):
            return cell
        tries += 1


def _reduced(
    group_setting: Setting, primitive: np.ndarray, cell_volume: float
) -> tuple[np.ndarray, Group, tuple[WyckoffPosition, ...]]:
    """Scale a primitive cell to a volume (Å³) and reduce it; return it with the group and the positions in it."""
    lattice = primitive * (cell_volume / abs(np.linalg.det(primitive))) ** (1 / 3)
    basis = np.round(niggli_reduced(lattice) @ np.linalg.inv(lattice)).astype(int)
    if abs(round(np.linalg.det(basis))) != 1:
        basis = np.eye(3, dtype=int)  # the reduced cell is not a basis of the same lattice: keep the cell
    positions = tuple(position.in_basis(basis) for position in group_setting.positions)
    return basis @ lattice, group_setting.group.in_basis(basis), positions


def _assigned(
    around: FreeVolume,
    group: Group,
    positions: tuple[WyckoffPosition, ...],
    assignment: Assignment,
    rng: np.random.Generator | None,
) -> OrbitPlan | None:
    """Return a plan of orbits on the assigned positions, None where the species do not fit.

    With rng, a quarter of the plans are for a random subgroup with open positions instead, because a crystal may be
    less symmetric than the known ones of its kind.
    """
    if rng is not None and rng.random() < _LOWERED:
        subgroups = list(group.subgroups())
        return plan_orbits(around, group, positions, [subgroups[int(rng.integers(len(subgroups)))]])
    plan = plan_orbits(around, group, positions, [np.arange(len(group))])
    if plan is None or assignment.letters is None:
        return plan
    from pymatgen.core import Element

    letters = {Element(symbol).Z: text for symbol, text in assignment.letters.items()}
    return plan.with_letters([letters[z] for z in around.guests])


def _units_that_fit(species: Mapping[str, int], number: int | None) -> str:
    """Return the remedy that a message names: the numbers of formula units that fit a space group."""
    if number is None:
        return "use --space-group none"
    units = math.gcd(*species.values())
    many = {z: {s: n // units * z for s, n in species.items()} for z in range(1, 13)}
    fit = [str(z) for z, some in many.items() if sum(some.values()) <= MAX_ATOMS and _fits(some, setting(number))]
    return f"formula units that fit: {', '.join(fit)}" if fit else "no cell of up to 12 formula units does"


def _fits(species: Mapping[str, int], group_setting: Setting) -> bool:
    """Return whether counts fit a space group, in a cell so wide that the room for atoms does not matter."""
    host = empty_host((group_setting.primitive * 100).tolist(), species)
    group = group_setting.group
    return plan_orbits(free_volume_of(host), group, group_setting.positions, [np.arange(len(group))]) is not None
