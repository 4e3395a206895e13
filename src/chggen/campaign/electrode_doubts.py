"""What is still doubtful in the scan of an electrode: contents found once, and candidates that may yet fall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from chggen.campaign.electrode_contents import Content, ElectrodeContents
from chggen.results import Candidate
from chggen.stability import height_above

_NEAR_HULL: Final = 0.03  # eV/atom above the hull up to which a content gets more of the budget
_NEAR_LOWEST: Final = 0.01  # eV/atom above the lowest up to which the next candidate may yet become the lowest
_SAME: Final = 0.002  # eV/atom between candidates that count as found twice


def uncertain(of: ElectrodeContents, good: Mapping[Content, Sequence[Candidate]]) -> list[Content]:
    """Return the contents near the hull whose best was found once only.

    Args:
        of: What the contents are contents of.
        good: The good candidates of each content, those without any included.
    """
    energies, found = {}, {}
    for content, own in good.items():
        best = min(own, key=_energy, default=None)
        if best is not None and best.n_atoms is not None:
            x = of.ions_per_unit(content)
            energies[x] = _energy(best) * best.n_atoms / of.units(content)
            found[x] = (content, best)
    chosen = []
    for x, (content, best) in found.items():
        atoms = (best.n_atoms or 0) / of.units(content)
        again = sum(_energy(c) < _energy(best) + _SAME for c in good[content])
        near = height_above(energies, x) < _NEAR_HULL * atoms
        if content.count > 0 and near and again < 2 and len(energies) > 1:
            chosen.append(content)
    return chosen


def doubtful(good: Sequence[Candidate]) -> list[Candidate]:
    """Return the lowest candidate of a content, and the next distinct one where that lies near.

    Args:
        good: The good candidates of the content.
    """
    rising = sorted(good, key=lambda c: (_energy(c), c.id))
    others = [c for c in rising if _energy(c) > _energy(rising[0]) + _SAME]
    return [*rising[:1], *(c for c in others[:1] if _energy(c) < _energy(rising[0]) + _NEAR_LOWEST)]


def _energy(candidate: Candidate) -> float:
    return candidate.energy_per_atom or 0.0
