"""What a candidate's tries start from: a given host, with orbits or without, or an empty cell drawn for each try."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from chggen.config import InputError
from chggen.host import Host, empty_host
from chggen.lattice import flat, lattice_from_parameters, niggli_reduced, random_bravais_cell
from chggen.prototypes import Prototype, count_prototypes, prototype_of
from chggen.space_groups import Assignment, draw_assignment, draw_shape, soften_shape
from chggen.symmetry import (
    Group,
    OrbitPlan,
    Orbits,
    Position,
    Refined,
    Setting,
    Surroundings,
    above_trivial,
    group_of,
    nearest_counts,
    orbits_of_sites,
    plan_orbits,
    positions_of,
    refine,
    setting,
    standard_setting,
)

if TYPE_CHECKING:
    from pymatgen.core import Structure

SYMPREC: Final = 0.1  # Å; at which a given host's group is looked for
_LOWERED: Final = 0.25  # of the drawn space groups are replaced by one of their subgroups
_SOFTNESS: Final = (0.05, 0.3, 0.6)  # Å; of a prototype's sites when it comes first, second and after
_SHAPES: Final = 5  # shapes drawn by a model before a flat one is taken
_DRAWS: Final = 200  # space groups and cells before a formula is said to fit none


@runtime_checkable
class Shapes(Protocol):
    """Draws a cell (rows, Å) of a volume, Å³, for species: a score model that knows lattices.

    rotations: of a space group in lattice coordinates (columns), to whose Bravais class the cell then belongs.
    """

    def __call__(
        self,
        species: Mapping[str, int],
        volume: float,
        seed: int,
        rotations: Int[np.ndarray, "operations 3 3"] | None = None,
    ) -> Float[np.ndarray, "3 3"]: ...


@runtime_checkable
class Start(Protocol):
    """Where the tries of a candidate begin."""

    @property
    def species(self) -> Mapping[str, int]:
        """Element symbol → count of the filled cell."""
        ...

    @property
    def de_novo(self) -> bool:
        """Whether every atom is a guest."""
        ...

    @property
    def symmetric(self) -> bool:
        """Whether what is made has a symmetry to keep."""
        ...

    @property
    def softness(self) -> float | None:
        """By how much (Å) guests whose sites are roughly known are perturbed; None: they start anywhere."""
        ...

    def draw(self, seed: int, shapes: Shapes | None = None) -> tuple[Host, Orbits | None]:
        """The host of one try, and the orbits of all its atoms where it is symmetric; shapes: for those that ask."""
        ...

    def again(self, k: int) -> Start:
        """What the k-th further draw of a candidate starts from."""
        ...


@dataclass(frozen=True)
class Given:
    """The same host in every try; each draws its own orbits where the host has any."""

    host: Host
    softness: None = None

    @property
    def species(self) -> dict[str, int]:
        held = {k: int(v) for k, v in self.host.framework.composition.get_el_amt_dict().items() if v}
        return {s: held.get(s, 0) + self.host.guests.get(s, 0) for s in (*held, *self.host.guests)}

    @property
    def de_novo(self) -> bool:
        return not len(self.host.framework)

    @property
    def symmetric(self) -> bool:
        return self.host.orbits is not None

    def draw(self, seed: int, shapes: Shapes | None = None) -> tuple[Host, Orbits | None]:
        return self.host, None if self.host.orbits is None else self.host.orbits.draw(seed)

    def again(self, k: int) -> Given:
        """The k-th lower order of subgroups: what falls in a group may stand in one of its subgroups."""
        host = self.host
        for _ in range(k):
            host = _lowered(host)
        return Given(host)


@dataclass(frozen=True)
class BravaisCells:
    """An empty random Bravais cell of that volume (Å³) for each try."""

    species: Mapping[str, int]
    cell_volume: float
    de_novo: bool = True
    symmetric: bool = False
    softness: None = None

    def draw(self, seed: int, shapes: Shapes | None = None) -> tuple[Host, None]:
        cell = random_bravais_cell(self.cell_volume, np.random.default_rng(seed))
        return empty_host(cell.tolist(), self.species), None

    def again(self, k: int) -> BravaisCells:
        return self


@dataclass(frozen=True)
class JointCells:
    """An empty cell of that volume (Å³), its shape drawn by the score model for each try."""

    species: Mapping[str, int]
    cell_volume: float
    de_novo: bool = True
    symmetric: bool = False
    softness: None = None

    def draw(self, seed: int, shapes: Shapes | None = None) -> tuple[Host, None]:
        rng = np.random.default_rng(seed)
        for _ in range(_SHAPES):
            drawn = required(shapes)(self.species, self.cell_volume, int(rng.integers(2**62)))
            cell = niggli_reduced(drawn)
            if not flat(cell):
                break
        return empty_host(cell.tolist(), self.species), None

    def again(self, k: int) -> JointCells:
        return self


@dataclass(frozen=True)
class SpaceGroupCells:
    """An empty primitive cell of that volume (Å³) in a space group for each try; number None: a drawn group.

    joint: its shape is drawn by the score model, else as known crystals have it.
    """

    species: Mapping[str, int]
    cell_volume: float
    number: int | None = None
    joint: bool = False
    de_novo: bool = True
    symmetric: bool = True
    softness: None = None

    def draw(self, seed: int, shapes: Shapes | None = None) -> tuple[Host, Orbits]:
        own = required(shapes) if self.joint else None
        host = symmetric_cell(self.species, self.cell_volume, np.random.default_rng(seed), self.number, own)
        assert host.orbits is not None
        return host, host.orbits.draw(seed)

    def again(self, k: int) -> SpaceGroupCells:
        """The same: every draw has a group of its own."""
        return self


@dataclass(frozen=True)
class PrototypeCells:
    """A known prototype with these species on its sites, in a cell of that volume (Å³).

    rank: how many prototypes are likelier. Beyond the last of them they come again, softer each time.
    stride: ranks from one draw of a candidate to the next.
    """

    species: Mapping[str, int]
    cell_volume: float
    rank: int
    stride: int = 1
    de_novo: bool = True

    @property
    def symmetric(self) -> bool:
        return self._prototype.number > 2

    @property
    def softness(self) -> float:
        return _SOFTNESS[min(self._round, len(_SOFTNESS) - 1)]

    def draw(self, seed: int, shapes: Shapes | None = None) -> tuple[Host, Orbits]:
        rng = np.random.default_rng(seed) if self._round else None
        host = prototype_cell(self.species, self.cell_volume, self._prototype, rng)
        assert host.orbits is not None
        return host, host.orbits.draw(seed)

    def again(self, k: int) -> PrototypeCells:
        """The prototypes that no candidate has begun with."""
        return replace(self, rank=self.rank + k * self.stride)

    @property
    def _round(self) -> int:
        return self.rank // count_prototypes(self.species)

    @property
    def _prototype(self) -> Prototype:
        return prototype_of(self.species, self.rank % count_prototypes(self.species))


def symmetrised(framework: Structure) -> Refined:
    """A given host, symmetrised. Raises InputError where it has no symmetry above P-1."""
    found = refine(framework, SYMPREC)
    if found is None or not above_trivial(found.space_group):
        name = {1: "P1", 2: "P-1"}.get(found.space_group if found else 1, "no space group")
        raise InputError(
            f"the host has {name} at symprec {SYMPREC:g} Å; expected a group above P1 and P-1, so use symmetry none, "
            "or symmetrise it first with `chggen refine --symprec`"
        )
    return found


def on_orbits(host: Host) -> Host:
    """The host with its guests on orbits of its group, or of the first subgroup that their counts fit.

    The framework has to be symmetrised. Raises InputError, naming counts that fit, where no subgroup above P1 and P-1
    holds them in this cell.
    """
    group, positions = _group(host)
    around = _around(host)
    plan = plan_orbits(around, group, positions)
    if plan is None:
        near = [_counts(host, found) for found in nearest_counts(around, group, positions)]
        remedy = f"nearest counts that fit: {' or '.join(near)}" if near else "no counts near these fit"
        where = f"the {len(host.framework)}-atom cell of the host"
        groups = f"space group {standard_setting(group)[0]} or its subgroups above P1 and P-1"
        raise InputError(
            f"{_counts(host, host.guests.values())} in {where} fit no orbits of {groups}; {remedy}; "
            "or use a supercell or symmetry none"
        )
    return replace(host, orbits=plan)


def kept_orbits(host: Host, sites: Float[np.ndarray, "guests 3"]) -> tuple[np.ndarray, Orbits] | None:
    """The sites made symmetric, and the orbits of all atoms, by what of a symmetrised host's group the sites keep.

    None where that is P1 or P-1.
    """
    return orbits_of_sites(_around(host), _group(host)[0], sites)


def required(shapes: Shapes | None) -> Shapes:
    """Raises InputError where the score model draws none."""
    if shapes is None:
        raise InputError("the score model has no strain score, which seeds joint expect; use other seeds, or train one")
    return shapes


def symmetric_cell(
    species: Mapping[str, int],
    cell_volume: float,
    rng: np.random.Generator,
    number: int | None = None,
    shapes: Shapes | None = None,
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
        plan = _assigned(_around(host), group, positions, assignment, rng if number is None else None)
        if plan is not None:
            return replace(host, orbits=plan)
        if number is not None and assignment.letters is None:
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
    plan = OrbitPlan.known(_around(host), group, positions, pairs, [free for _, _, free in prototype.orbits])
    return replace(host, orbits=plan)


def _lowered(host: Host) -> Host:
    """The host with its guests on orbits of smaller subgroups; the same where there are none that hold them."""
    if host.orbits is None:
        return host
    group, positions = _group(host)
    order = len(host.orbits.choices[0].members)
    plan = plan_orbits(_around(host), group, positions, (m for m in group.subgroups() if len(m) < order))
    return host if plan is None else replace(host, orbits=plan)


def _group(host: Host) -> tuple[Group, tuple[Position, ...]]:
    """The group of a symmetrised framework and its positions. Raises InputError where it has none above P-1."""
    group = group_of(host.framework)
    if group is None or group.trivial:
        raise InputError("the host has no symmetry above P-1; use symmetry none")
    return group, positions_of(group, *standard_setting(group))


def _around(host: Host) -> Surroundings:
    from pymatgen.core import Element

    return Surroundings(
        lattice=host.framework.lattice.matrix,
        frac=np.asarray(host.framework.frac_coords).reshape(-1, 3),
        numbers=np.array([site.specie.Z for site in host.framework], dtype=int),
        guests={Element(symbol).Z: count for symbol, count in host.guests.items()},
    )


def _counts(host: Host, counts: Iterable[int]) -> str:
    return ", ".join(f"{symbol}={n}" for symbol, n in zip(host.guests, counts, strict=True))


def _cell(
    found: Setting, species: Mapping[str, int], cell_volume: float, rng: np.random.Generator, shapes: Shapes | None
) -> tuple[np.ndarray, Group, tuple[Position, ...]]:
    """A reduced primitive cell of the volume, and the group and its positions in that cell."""
    rhombohedral = found.symbol.startswith("R")
    tries = 0
    while True:
        if shapes is not None and tries < _SHAPES:
            primitive = shapes(species, cell_volume, int(rng.integers(2**62)), found.group.rotations)
        else:
            primitive = found.primitive @ lattice_from_parameters(draw_shape(found.number, rhombohedral, rng))
        if not flat((cell := _reduced(found, primitive, cell_volume))[0]):
            return cell
        tries += 1


def _reduced(
    found: Setting, primitive: np.ndarray, cell_volume: float
) -> tuple[np.ndarray, Group, tuple[Position, ...]]:
    """The reduced cell of the primitive one of a setting, scaled to the volume, with its group and positions."""
    lattice = primitive * (cell_volume / abs(np.linalg.det(primitive))) ** (1 / 3)
    multiple = np.round(niggli_reduced(lattice) @ np.linalg.inv(lattice)).astype(int)
    if abs(round(np.linalg.det(multiple))) != 1:
        multiple = np.eye(3, dtype=int)
    return multiple @ lattice, found.group.in_basis(multiple), tuple(p.in_basis(multiple) for p in found.positions)


def _assigned(
    around: Surroundings,
    group: Group,
    positions: tuple[Position, ...],
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
    found = setting(number)
    lattice = found.primitive * 100  # so wide that only the counts matter
    fit = []
    for z in range(1, 13):
        many = {s: n // units * z for s, n in species.items()}
        if plan_orbits(
            _around(empty_host(lattice.tolist(), many)), found.group, found.positions, [np.arange(len(found.group))]
        ):
            fit.append(str(z))
    return f"formula units that fit: {', '.join(fit)}" if fit else "no cell of up to 12 formula units does"
