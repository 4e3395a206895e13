"""Known prototypes laid over a host: where guests sit in crystals whose framework is like it.

A prototype of the filled cell's composition is laid over the host where their lattices agree but for a small strain and
every host atom stands near a site of its species; the sites left over are the guests'. A prototype of a part of the
cell's content is repeated until it fills it. An empty host asks for the lattice alone.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from jaxtyping import Float, Int

from chggen.crystals import lattice_from_parameters, niggli_reduced
from chggen.generation.prototypes import Prototype, count_prototypes, prototype_of
from chggen.symmetry import Setting, setting

if TYPE_CHECKING:
    from chggen.generation.host import Host

CLOSE: Final = 1.0  # closeness from which an analogue is right oftener than guests sampled from anywhere
_STRAIN: Final = 30.0  # log-odds that a strain costs, and a misfit of the host atoms, per Å:
_MISFIT: Final = 10.0  # on hosts of the val split these order analogues best (docs/model.md)
_LENGTH: Final = 0.12  # largest relative difference of a lattice vector's length
_ANGLE: Final = 8.0  # ° and of an angle
_NEAR: Final = 0.35  # of the cube root of the volume of an atom: farthest a host atom may be from its site
_REPEATS: Final = 27  # most prototype cells in the host's
_LOOKED_AT: Final = 400  # prototypes of each content, the likeliest first
_WORK: Final = 2_000_000  # distances, or bases, that are looked at before a way to lay a prototype is passed over
_LARGE: Final = 32  # atoms of a filled cell
_TRANSLATED: Final = 0.1  # Å; how far translations may be off that make a framework a repeated one
_TIE: Final = 1e-4  # equivalent ways differ by rounding, which must not choose between them
_SAME: Final = 0.15  # Å; mean difference of the guests' distances in arrangements that are one
_IMAGES: Final = np.array(list(itertools.product((-1.0, 0.0, 1.0), repeat=3)))


@dataclass(frozen=True, kw_only=True)
class Analogue:
    """A prototype laid over a host.

    frac_coords: of the guests, in the host's cell and order; log_odds: the prototype's, for a species; strain: norm of
    the logarithmic strain from its cell to the host's; rms: of the host atoms' distances from its sites, Å.
    """

    frac_coords: Float[np.ndarray, "guests 3"]
    log_odds: float
    strain: float
    rms: float
    closeness: float


@dataclass(frozen=True)
class _Target:
    """The host in a reduced cell, species by number of their place in `species`."""

    lattice: Float[np.ndarray, "3 3"]
    frac: Float[np.ndarray, "atoms 3"]
    kinds: Int[np.ndarray, "atoms"]
    edge: float  # Å, cube root of the volume of an atom


def analogues(host: Host, least: float = -math.inf) -> list[Analogue]:
    """The prototypes that can be laid over the host, each arrangement of guests once; the closest first.

    Over one primitive cell of the framework as well, then repeated; of large repeated hosts over that alone.
    least: closeness of the farthest; prototypes of which that cannot be had are not tried.
    """
    framework = host.framework
    given = np.asarray(framework.lattice.matrix)
    reduced = niggli_reduced(given)
    back = reduced @ np.linalg.inv(given)
    held = [site.specie.symbol for site in framework]
    counts = {s: held.count(s) + host.guests.get(s, 0) for s in dict.fromkeys([*host.guests, *held])}
    species = list(counts)  # the guests first, in their order
    target = _Target(
        lattice=reduced,
        frac=np.asarray(framework.frac_coords).reshape(-1, 3) @ np.linalg.inv(back),
        kinds=np.array([species.index(s) for s in held], dtype=int),
        edge=(abs(np.linalg.det(reduced)) / sum(counts.values())) ** (1 / 3),
    )
    smaller = _primitive(host)
    found = []
    if smaller is not None:
        primitive, cell, shifts = smaller
        found = [_repeated(a, cell, shifts) for a in analogues(primitive, least)]
    if smaller is None or sum(counts.values()) <= _LARGE:
        laid = _all_laid(target, species, counts, least)
        found += [replace(a, frac_coords=a.frac_coords @ back % 1) for a in laid]
    found.sort(key=lambda a: -round(a.closeness, 4))
    wanted = np.repeat([species.index(s) for s in host.guests], list(host.guests.values()))
    return _distinct(found, target, wanted, np.linalg.inv(back))


def _all_laid(target: _Target, species: list[str], counts: Mapping[str, int], least: float) -> list[Analogue]:
    """All prototypes of the content, or a part of it that is repeated, that can be laid over the target."""
    found = []
    for repeats in range(1, _REPEATS + 1):
        if math.gcd(*counts.values()) % repeats:
            continue
        part = {s: n // repeats for s, n in counts.items()}
        for rank in range(min(count_prototypes(part), _LOOKED_AT)):
            prototype = prototype_of(part, rank)
            if prototype.log_odds / len(species) < least:  # the likeliest come first, and a misfit only takes from it
                break
            laid = _laid(prototype, target, species, repeats)
            if laid is not None and laid.closeness >= least:
                found.append(laid)
    return found


def _primitive(host: Host) -> tuple[Host, np.ndarray, np.ndarray] | None:
    """The host of one primitive cell of the framework, its lattice and its shifts (cells 3) in the whole, fractional.

    None where the framework is primitive already, or the guests cannot be shared alike among its cells.
    """
    if len(host.framework) < 2:
        return None
    small = host.framework.get_primitive_structure(tolerance=_TRANSLATED)
    cells, rest = divmod(len(host.framework), len(small))
    if cells == 1 or rest or any(n % cells for n in host.guests.values()):
        return None
    lattice = small.lattice.matrix @ np.linalg.inv(host.framework.lattice.matrix)
    shifts = _translations(lattice, cells)
    if len(shifts) != cells:  # not a lattice of the given one
        return None
    guests = {s: n // cells for s, n in host.guests.items()}
    return replace(host, framework=small, guests=guests, orbits=None), lattice, shifts


def _repeated(analogue: Analogue, lattice: np.ndarray, shifts: np.ndarray) -> Analogue:
    """The analogue of one cell in every cell of the host, copies of a site together."""
    sites = (analogue.frac_coords @ lattice)[:, None] + shifts
    return replace(analogue, frac_coords=sites.reshape(-1, 3) % 1)


def _distinct(found: Sequence[Analogue], target: _Target, wanted: np.ndarray, to_target: np.ndarray) -> list[Analogue]:
    """The first of those whose guests have the same distances to all atoms, species by species.

    wanted: kinds of the guests; to_target: takes their coordinates to the target's cell.
    """
    every = np.concatenate([target.kinds, wanted])
    shifts = _IMAGES @ target.lattice
    kept: list[tuple[Analogue, np.ndarray]] = []
    for analogue in found:
        sites = analogue.frac_coords @ to_target
        off = sites[:, None] - np.concatenate([target.frac, sites])
        cart = (off - np.round(off)) @ target.lattice
        distance = np.linalg.norm(cart[:, :, None] + shifts, axis=-1).min(axis=-1)
        mark = np.concatenate(
            [
                np.sort(distance[wanted == a][:, every == b], axis=None)
                for a in np.unique(wanted)
                for b in np.unique(every)
            ]
        )
        if all(np.abs(mark - other).mean() > _SAME for _, other in kept):
            kept.append((analogue, mark))
    return [analogue for analogue, _ in kept]


def _laid(prototype: Prototype, target: _Target, species: list[str], repeats: int) -> Analogue | None:
    """The prototype where it fits the host best, in the target's cell; guests by the order of their species."""
    of = setting(prototype.number)
    primitive = of.primitive @ lattice_from_parameters(np.array([1.0, *prototype.shape]))
    volume = abs(np.linalg.det(target.lattice)) / repeats
    primitive = primitive * (volume / abs(np.linalg.det(primitive))) ** (1 / 3)
    bases = _bases(primitive, target.lattice, repeats)
    if not len(bases):
        return None
    bases = _inequivalent(bases, of)
    inner, kinds = _sites(prototype, of, species)
    best = None
    for basis in bases:
        strain = _strain(basis @ primitive, target.lattice)
        inverse = np.linalg.inv(basis)
        shifts = _translations(inverse, repeats)
        sites = ((inner @ inverse)[:, None] + shifts).reshape(-1, 3)
        every = np.repeat(kinds, len(shifts))
        fit = _fitted(target, sites, every)
        if fit is None:
            continue
        left, rms = fit
        log_odds = prototype.log_odds / len(species)
        closeness = log_odds - (_STRAIN * strain + _MISFIT * rms) / len(species)
        if best is None or closeness > best.closeness + _TIE:
            best = Analogue(frac_coords=left, log_odds=log_odds, strain=strain, rms=rms, closeness=closeness)
    return best


def _bases(primitive: np.ndarray, lattice: np.ndarray, repeats: int) -> np.ndarray:
    """(n, 3, 3) integer bases of lattice vectors of the prototype that are the host's but for a small strain."""
    length = np.linalg.norm(lattice, axis=1)
    reach = np.floor((1 + _LENGTH) * length.max() * np.linalg.norm(np.linalg.inv(primitive), axis=0)).astype(int)
    steps = _steps(*reach.tolist())
    vectors = steps @ primitive
    size = np.sqrt((vectors**2).sum(axis=1))
    near = [np.flatnonzero(np.abs(size / own - 1) < _LENGTH) for own in length]
    unit = [vectors[n] / size[n][:, None] for n in near]

    def agree(i: int, j: int) -> np.ndarray:
        own = math.degrees(math.acos(lattice[i] @ lattice[j] / length[i] / length[j]))
        least, most = (math.cos(math.radians(min(max(own + d, 0), 180))) for d in (_ANGLE, -_ANGLE))
        cosine = unit[i] @ unit[j].T
        return np.asarray((cosine > least) & (cosine < most))

    none = np.zeros((0, 3, 3), dtype=int)
    if not 0 < math.prod(len(n) for n in near) <= _WORK:
        return none
    pairs = agree(0, 1)
    if not pairs.any():
        return none
    together = pairs[:, :, None] & agree(0, 2)[:, None] & agree(1, 2)[None]
    a, b, c = np.nonzero(together)
    if not len(a):
        return none
    bases = np.stack([steps[near[0][a]], steps[near[1][b]], steps[near[2][c]]], axis=1)
    return np.asarray(bases[np.abs(np.round(np.linalg.det(bases))) == repeats])


@functools.lru_cache(maxsize=256)
def _steps(*reach: int) -> np.ndarray:
    """Integer vectors of at most so many steps along each axis; not to be written to."""
    return np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), axis=-1).reshape(-1, 3)


def _inequivalent(bases: np.ndarray, of: Setting) -> np.ndarray:
    """One of the bases that the point group of the prototype takes into one another."""
    turned = np.einsum("nij,gkj->ngik", bases, np.unique(of.group.rotations, axis=0))
    keys = turned.reshape(len(bases), -1, 9)
    codes = (keys + 50) @ (101 ** np.arange(9))
    _, first = np.unique(codes.min(axis=1), return_index=True)
    return np.asarray(bases[np.sort(first)])


def _sites(prototype: Prototype, of: Setting, species: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Fractional sites of the primitive cell, and their species."""
    positions = {p.letter: p for p in of.positions}
    sites, kinds = [], []
    for symbol, letter, free in prototype.orbits:
        own = positions[letter].sites(of.group, positions[letter].at(free)[None])[0]
        sites.append(own)
        kinds += [species.index(symbol)] * len(own)
    return np.concatenate(sites), np.array(kinds)


def _translations(inverse: np.ndarray, repeats: int) -> np.ndarray:
    """(repeats, 3) lattice points of a small lattice in a cell of it, fractional; inverse: its vectors in that cell."""
    if repeats == 1:
        return np.zeros((1, 3))
    reach = [next(k for k in range(1, repeats + 1) if np.abs(k * row - np.round(k * row)).max() < 1e-3 or k == repeats)
             for row in inverse]  # fmt: skip
    points = np.stack(np.meshgrid(*map(np.arange, reach), indexing="ij"), axis=-1).reshape(-1, 3) @ inverse
    points -= np.floor(points + 1e-4)
    return np.asarray(points[np.unique(np.round(points, 3), axis=0, return_index=True)[1]])


def _strain(cell: np.ndarray, lattice: np.ndarray) -> float:
    size = np.linalg.svd(np.linalg.solve(cell, lattice), compute_uv=False)
    return float(np.linalg.norm(np.log(size)))


def _fitted(target: _Target, sites: np.ndarray, kinds: np.ndarray) -> tuple[np.ndarray, float] | None:
    """Sites left over, by the order of their species, and the rms of the host atoms; None where these do not fit.

    One host atom of the rarest species is put on each site of it in turn.
    """
    if not len(target.frac):
        return sites[np.argsort(kinds, kind="stable")], 0.0
    present, counts = np.unique(target.kinds, return_counts=True)
    rarest = present[counts.argmin()]
    anchor = int(np.flatnonzero(target.kinds == rarest)[0])
    other = np.where(target.kinds[:, None] == kinds, 0.0, np.inf)
    best = None
    starts = sites[kinds == rarest]
    for start in starts[: max(1, _WORK // other.size)]:
        shift = target.frac[anchor] - start
        for _ in range(2):  # on the anchor, then with the mean displacement taken off
            off = target.frac[:, None] - sites - shift
            off -= np.round(off)
            distance = np.linalg.norm(off @ target.lattice, axis=-1) + other
            nearest = distance.argmin(axis=1)
            shift = shift + off[np.arange(len(off)), nearest].mean(axis=0)
        found = distance[np.arange(len(off)), nearest]
        if found.max() > _NEAR * target.edge or len(set(nearest.tolist())) < len(nearest):
            continue
        rms = float(np.sqrt((found**2).mean()))
        if best is None or rms < best[1] - _TIE:
            left = np.delete(np.arange(len(sites)), nearest)
            best = (sites[left[np.argsort(kinds[left], kind="stable")]] + shift, rms)
    return best
