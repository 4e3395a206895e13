"""Analogues of a host: known prototypes whose framework is like it, and which tell where its guests may sit.

A prototype of the filled cell's composition is laid over the host. It fits if the lattices agree but for a small strain
and every host atom is near a site of its species. The sites that are left over are the guests'. A prototype that holds
only a part of the cell's content is repeated until it fills the cell. An empty host has only its lattice to match.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from chggen.crystals import niggli_reduced
from chggen.generation.lattice_matching import lattice_points
from chggen.generation.prototype_fitting import Analogue, Target, fit_prototype
from chggen.generation.prototypes import log_odds_of, prototype_of

if TYPE_CHECKING:
    from chggen.generation.host import Host

CLOSE: Final = 1.0  # closeness above which an analogue is right more often than guests sampled from anywhere
_REPEATS: Final = 27  # most primitive cells of a prototype in the host's cell
_LOOKED_AT: Final = 400  # prototypes of each content, the likeliest first
_LOOKED_BACK: Final = 8  # prototypes after which it is asked again whether the analogues found are enough
_LARGE: Final = 32  # atoms of a filled cell
_TRANSLATED: Final = 0.1  # Å, by which the atoms of a repeated framework may differ from exact repetition
_SAME: Final = 0.15  # Å, mean difference of the guests' distances below which two arrangements are the same
_IMAGES: Final = np.array(list(itertools.product((-1.0, 0.0, 1.0), repeat=3)))


def analogues(host: Host, least: float = -math.inf, most: int | None = None) -> list[Analogue]:
    """Return the prototypes that fit a host, the closest first.

    If the framework repeats a smaller primitive cell, prototypes are fitted to that cell as well, and the guests are
    repeated with it. A filled cell of more than 32 atoms that is so repeated is not fitted as a whole.

    Args:
        host: The host. One without atoms has only its lattice to match.
        least: Least closeness (see `Analogue`). Prototypes that cannot reach it are not tried.
        most: Number of analogues wanted. Prototypes that cannot come among them are not tried. None wants all.

    Returns:
        The analogues, each arrangement of guests once.
    """
    framework = host.framework
    given = np.asarray(framework.lattice.matrix)
    reduced = niggli_reduced(given)
    back = reduced @ np.linalg.inv(given)
    held = [site.specie.symbol for site in framework]
    counts = {s: held.count(s) + host.guests.get(s, 0) for s in dict.fromkeys([*host.guests, *held])}
    species = list(counts)  # the guests come first, in their order
    target = Target(
        lattice=reduced,
        frac=np.asarray(framework.frac_coords).reshape(-1, 3) @ np.linalg.inv(back),
        kinds=np.array([species.index(s) for s in held], dtype=int),
        edge=(abs(np.linalg.det(reduced)) / sum(counts.values())) ** (1 / 3),
    )
    guest_kinds = np.repeat([species.index(s) for s in host.guests], list(host.guests.values()))

    def distinct(found: Sequence[Analogue]) -> list[Analogue]:
        ordered = sorted(found, key=lambda analogue: -round(analogue.closeness, 4))
        return _distinct(ordered, target, guest_kinds, np.linalg.inv(back))[:most]

    repeated = _primitive(host)
    found = []
    if repeated is not None:
        primitive, cell, shifts = repeated
        found = [_repeated(analogue, cell, shifts) for analogue in analogues(primitive, least, most)]
    if repeated is None or sum(counts.values()) <= _LARGE:
        found += _fitted(target, species, counts, back, least, lambda some: len(distinct(some)) == most)
    return distinct(found)


def _fitted(
    target: Target,
    species: list[str],
    counts: Mapping[str, int],
    back: np.ndarray,
    least: float,
    enough: Callable[[list[Analogue]], bool],
) -> list[Analogue]:
    """Return the fits of the prototypes that hold the content, or a part of it that repeats to the content.

    Guests are in fractional coordinates of the host's own cell, to which `back` leads. Prototypes are tried in falling
    order of log-odds until those fits are `enough` that no further one can surpass.
    """
    parts = {
        repeats: {s: n // repeats for s, n in counts.items()}
        for repeats in range(1, _REPEATS + 1)
        if math.gcd(*counts.values()) % repeats == 0
    }
    ranks = [
        (-log_odds, repeats, rank)
        for repeats, part in parts.items()
        for rank, log_odds in enumerate(log_odds_of(part)[:_LOOKED_AT])
    ]
    found: dict[tuple[int, int], Analogue] = {}
    for k, (cost, repeats, rank) in enumerate(sorted(ranks)):
        reach = -cost / len(species)  # a misfit only lowers the closeness
        if reach < least:
            break
        if k % _LOOKED_BACK == 0 and enough([analogue for analogue in found.values() if analogue.closeness > reach]):
            break
        fitted = fit_prototype(prototype_of(parts[repeats], rank), target, species, repeats)
        if fitted is not None and fitted.closeness >= least:
            found[repeats, rank] = replace(fitted, frac_coords=fitted.frac_coords @ back % 1)
    return [found[key] for key in sorted(found)]


def _primitive(host: Host) -> tuple[Host, np.ndarray, np.ndarray] | None:
    """Return the host of one primitive cell of a repeated framework.

    Returned with it are the primitive lattice, of shape (3, 3), and the shifts of all primitive cells, of shape
    (cells, 3), both in fractional coordinates of the host's cell. None where the framework is primitive already, or the
    guests cannot be divided equally among its cells.
    """
    if len(host.framework) < 2:
        return None
    small = host.framework.get_primitive_structure(tolerance=_TRANSLATED)
    cells, rest = divmod(len(host.framework), len(small))
    if cells == 1 or rest or any(n % cells for n in host.guests.values()):
        return None
    lattice = small.lattice.matrix @ np.linalg.inv(host.framework.lattice.matrix)
    shifts = lattice_points(lattice, cells)
    if len(shifts) != cells:  # the primitive cell does not span the host's lattice
        return None
    guests = {s: n // cells for s, n in host.guests.items()}
    return replace(host, framework=small, guests=guests, orbits=None), lattice, shifts


def _repeated(analogue: Analogue, lattice: np.ndarray, shifts: np.ndarray) -> Analogue:
    """Return the analogue of a primitive cell with its guests in all cells of the host, copies of a site together."""
    sites = (analogue.frac_coords @ lattice)[:, None] + shifts
    return replace(analogue, frac_coords=sites.reshape(-1, 3) % 1)


def _distinct(
    found: Sequence[Analogue], target: Target, guest_kinds: np.ndarray, to_target: np.ndarray
) -> list[Analogue]:
    """Keep the first of those analogues whose guests have the same distances to all atoms, species by species.

    guest_kinds holds the species of the guests, and to_target takes their coordinates to the target's cell.
    """
    every_kind = np.concatenate([target.kinds, guest_kinds])
    shifts = _IMAGES @ target.lattice
    kept: list[tuple[Analogue, np.ndarray]] = []
    for analogue in found:
        sites = analogue.frac_coords @ to_target
        off = sites[:, None] - np.concatenate([target.frac, sites])
        cart = (off - np.round(off)) @ target.lattice
        distance = np.linalg.norm(cart[:, :, None] + shifts, axis=-1).min(axis=-1)
        fingerprint = np.concatenate(
            [
                np.sort(distance[guest_kinds == a][:, every_kind == b], axis=None)
                for a in np.unique(guest_kinds)
                for b in np.unique(every_kind)
            ]
        )
        if all(np.abs(fingerprint - other).mean() > _SAME for _, other in kept):
            kept.append((analogue, fingerprint))
    return [analogue for analogue, _ in kept]
