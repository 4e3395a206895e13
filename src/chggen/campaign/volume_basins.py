"""Second volumes: a relaxed candidate that has a lower minimum at a volume a few per cent away is moved there.

Magnetic compounds can have several states of different volume. In LiCoO2, CHGNet's state of large moments lies 16
meV/atom above the one without, at a volume 10 % larger, and a cell that begins too large relaxes into it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, cast

from chggen.campaign.evaluation import moved_on, relaxed_as_asked, single_points
from chggen.campaign.resources import Resources
from chggen.generation import KEPT
from chggen.relaxation import Relaxed
from chggen.results import Candidate

if TYPE_CHECKING:
    from pymatgen.core import Structure

_FAR: Final = 0.06  # relative change of the volume at which a second relaxation begins
_PROBES: Final = (-_FAR, -_FAR / 2, _FAR / 2, _FAR)
# Near a minimum the energy at twice the strain is 4 times as high: 2.9 to 7 times in 178 crystals of the `val` split.
# Where another minimum is near, it is below zero or hardly higher.
_LEAST_RISE: Final = 2.5
# d and f electrons that are paired in some compounds and not in others, or change their number with the volume
_SEVERAL_STATES: Final = frozenset(
    {"V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Ce", "Pr", "Sm", "Eu", "Yb", "U", "Np", "Pu"}
)
_LOWER: Final = 0.002  # eV/atom by which another minimum has to lie lower; relaxations end within about 0.001


def in_lower_basins(candidates: Sequence[Candidate], resources: Resources) -> list[Candidate]:
    """Return candidates, each moved to a lower minimum at another volume where there is one.

    Four energies at volumes 3 and 6 % off, without any relaxation, tell whether there may be one. Only then is the
    candidate relaxed once more, from 6 % off. Of several minima the lowest is kept.

    Args:
        candidates: Relaxed candidates. Failed ones are passed through as they are.
        resources: How they were relaxed. Where the cell is held or under pressure, nothing is done.

    Returns:
        The candidates in their order. One that was moved has the structure, energy and symmetry of its new minimum.
    """
    assert resources.relax is not None
    if resources.relax.holds_cell or resources.relax.pressure:
        return list(candidates)
    relaxed = [k for k, c in enumerate(candidates) if c.status == "ok" and c.energy_per_atom is not None]
    ends = [(cast("Structure", candidates[k].structure), cast(float, candidates[k].energy_per_atom)) for k in relaxed]
    found = list(candidates)
    for i, other in _lower_minima(ends, resources):
        k = relaxed[i]
        if other.energy_or_inf < cast(float, found[k].energy_per_atom) - _LOWER:
            moved = moved_on(found[k], other, resources)
            if cast(float, moved.energy_per_atom) < cast(float, found[k].energy_per_atom):  # symmetrising may cost more
                found[k] = moved  # than was gained
    return found


def with_lower_basins(ends: Sequence[Relaxed], resources: Resources) -> list[Relaxed]:
    """Return relaxations, each by another that ends lower at another volume where there is one, see `in_lower_basins`.

    Only crystals with elements whose compounds have several states (`_SEVERAL_STATES`) are looked at: where one
    potential relaxes what another one has relaxed, the volume is hardly off otherwise, and energies may be dear.

    Args:
        ends: Relaxations. Those that have not converged are passed through as they are.
        resources: How they were relaxed. Where the cell is held or under pressure, nothing is done.
    """
    assert resources.relax is not None
    if resources.relax.holds_cell or resources.relax.pressure:
        return list(ends)
    asked = [
        k
        for k, end in enumerate(ends)
        if end.converged
        and end.energy_per_atom is not None
        and not _SEVERAL_STATES.isdisjoint(end.structure.symbol_set)
    ]
    found = list(ends)
    for i, other in _lower_minima([(ends[k].structure, ends[k].energy_or_inf) for k in asked], resources):
        if other.energy_or_inf < found[asked[i]].energy_or_inf - _LOWER:
            found[asked[i]] = other
    return found


def _lower_minima(ends: Sequence[tuple[Structure, float]], resources: Resources) -> Iterator[tuple[int, Relaxed]]:
    """Yield converged relaxations from 6 % off where a lower minimum may be, each with the place of what it began at.

    ends: relaxed structures and their energies, eV/atom.
    """
    probes = [_scaled(structure, 1 + change) for structure, _ in ends for change in _PROBES]
    energies = [probe.energy_or_inf for probe in single_points(probes, resources)]
    starts = [
        (k, probes[4 * k + side])
        for k, (_, energy) in enumerate(ends)
        for side in _promising(energy, energies[4 * k : 4 * k + 4])
    ]
    others = relaxed_as_asked([start for _, start in starts], [KEPT] * len(starts), resources)
    yield from ((k, other) for (k, _), other in zip(starts, others, strict=True) if other.converged)


def _scaled(structure: Structure, factor: float) -> Structure:
    """Return a structure with its volume multiplied by a factor."""
    scaled = structure.copy()
    scaled.scale_lattice(structure.volume * factor)
    return scaled


def _promising(energy: float, probes: Sequence[float]) -> list[int]:
    """Return which of the outer probes lie lower than near a lone minimum: of 0 (smaller) and 3 (larger)."""
    rises = [probe - energy for probe in probes]
    return [outer for outer, inner in ((0, 1), (3, 2)) if rises[outer] < max(0.0, _LEAST_RISE * rises[inner])]
