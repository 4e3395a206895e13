"""Second volumes: a relaxed candidate that has a lower minimum at a volume a few per cent away is moved there.

Magnetic compounds can have several states of different volume. In LiCoO2, CHGNet's state of large moments lies 16
meV/atom above the one without, at a volume 10 % larger, and a cell that begins too large relaxes into it.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    probes = [_scaled(candidates[k], 1 + change) for k in relaxed for change in _PROBES]
    ends = single_points(probes, resources)
    starts = [
        (k, probes[4 * i + side])
        for i, k in enumerate(relaxed)
        for side in _promising(candidates[k], ends[4 * i : 4 * i + 4])
    ]
    found = list(candidates)
    others = relaxed_as_asked([start for _, start in starts], [KEPT] * len(starts), resources)
    for (k, _), other in zip(starts, others, strict=True):
        energy = cast(float, found[k].energy_per_atom)
        if other.converged and other.energy_or_inf < energy - _LOWER:
            moved = moved_on(found[k], other, resources)
            if cast(float, moved.energy_per_atom) < energy:  # symmetrising may cost more than was gained
                found[k] = moved
    return found


def _scaled(candidate: Candidate, factor: float) -> Structure:
    """Return the structure of a candidate with its volume multiplied by a factor."""
    structure = cast("Structure", candidate.structure).copy()
    structure.scale_lattice(structure.volume * factor)
    return structure


def _promising(candidate: Candidate, probes: Sequence[Relaxed]) -> list[int]:
    """Return which of the outer probes lie lower than near a lone minimum: of 0 (smaller) and 3 (larger)."""
    energy = cast(float, candidate.energy_per_atom)
    rises = [probe.energy_or_inf - energy for probe in probes]
    return [outer for outer, inner in ((0, 1), (3, 2)) if rises[outer] < max(0.0, _LEAST_RISE * rises[inner])]
