"""From generated structures to relaxed ones with their symmetry: relaxation, saddle check, refinement."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from chggen.campaign.evaluation import holds_cell, moved_on, relaxed_as_asked, with_relaxation
from chggen.campaign.resources import Resources
from chggen.campaign.volume_basins import with_lower_basins
from chggen.generation import KEPT
from chggen.io import held_atoms, inside
from chggen.relaxation import Relaxed, write_trajectory
from chggen.results import Candidate, failed

if TYPE_CHECKING:
    from pymatgen.core import Structure

log = logging.getLogger(__name__)
_PUSH: Final = 0.05  # Å; root mean square displacement of an atom when it is pushed in the saddle check
PUSHED: Final = "pushed"
"""Source of candidates that are earlier ones, pushed and relaxed once more."""
STRAIN: Final = 0.01
"""Standard deviation of the strain of the cell in the same push: 0.05 Å of 5 Å."""
_FALL: Final = 0.005  # eV/atom; a pushed candidate that falls by more was a saddle


def relax_candidates(
    candidates: Sequence[Candidate], resources: Resources, symmetric: Sequence[bool] | None = None
) -> list[Candidate]:
    """Relax candidates and find their symmetry.

    Symmetric candidates keep their space group while they relax. They are then pushed off it at random and relaxed
    freely: one that falls clearly is a saddle point of the energy, not a minimum (see `after_push`).

    Args:
        candidates: Candidates with a structure each. Failed ones are passed through as they are.
        resources: How to relax, and with which potential.
        symmetric: For each candidate whether it is to keep its group; None stands for none of them.

    Returns:
        The candidates in their order, with relaxed, refined structures and energies, or failed with a reason. The lower
        candidate that a saddle falls to comes right behind the saddle.
    """
    assert resources.relax is not None
    indices = [i for i, c in enumerate(candidates) if c.status == "ok"]
    keeps_group = [bool(symmetric and symmetric[i]) for i in indices]
    symprecs = [KEPT if keeps else resources.relax.fix_symmetry for keeps in keeps_group]
    ends = relaxed_as_asked([cast("Structure", candidates[i].structure) for i in indices], symprecs, resources)
    result = list(candidates)
    for i, relaxed in zip(indices, ends, strict=True):
        if resources.trajectories is not None and relaxed.trajectory:
            write_trajectory(relaxed.trajectory, inside(resources.trajectories, candidates[i].id, ".extxyz"))
        result[i] = with_relaxation(candidates[i], relaxed, resources)
    pushed = [i for i, keeps in zip(indices, keeps_group, strict=True) if keeps and result[i].status == "ok"]
    return _off_saddles(result, pushed, resources)


def rescored(candidates: Sequence[Candidate], resources: Resources) -> list[Candidate]:
    """Relax candidates once more with another potential, for their energies at its level of theory.

    They keep their symmetry on the way. Where a magnetic compound has a lower state at another volume, its energy is
    taken. Structures stay those of the first level. One that does not relax gets no energy at this level, and is marked
    (`Candidate.unplaced_at`).

    Args:
        candidates: Relaxed candidates.
        resources: How to relax, with the potential whose level is wanted.

    Returns:
        The candidates in their order, with the energy at the further level where there is one.
    """
    level = resources.potential().level
    ends = relaxed_as_asked([cast("Structure", c.structure) for c in candidates], [KEPT] * len(candidates), resources)
    found = []
    for candidate, end in zip(candidates, with_lower_basins(ends, resources), strict=True):
        if end.converged and end.energy_per_atom is not None:
            found.append(candidate.with_energy(level, end.energy_per_atom))
        else:
            found.append(unplaced(candidate, level, end.reason or "not converged"))
    return found


def unplaced(candidate: Candidate, level: str, reason: str) -> Candidate:
    """Return a survivor marked as one that got no energy at a further level; the log says why.

    Args:
        candidate: The survivor.
        level: Name of the further level.
        reason: What happened.
    """
    log.info("%s: no energy at level %s: %s", candidate.id, level, reason)
    return replace(candidate, unplaced_at=level)


def lower_id(name: str) -> str:
    """Return the id of the candidate that a saddle falls to.

    Args:
        name: Id of the saddle.
    """
    return f"{name}-low"


def left_symmetry(candidates: Iterable[Candidate]) -> list[str]:
    """Return the ids of candidates that have not the symmetry that they were drawn in, since it was that of a saddle.

    Args:
        candidates: Candidates of a run.
    """
    return [c.id for c in candidates if c.parent is not None and c.id == lower_id(c.parent)]


def _off_saddles(candidates: Sequence[Candidate], symmetric: Sequence[int], resources: Resources) -> list[Candidate]:
    """Push candidates, given by their indices, off their symmetry; return all, the lower ones behind saddles."""
    strain = 0.0 if holds_cell(resources) else STRAIN
    moved = [pushed(cast("Structure", candidates[i].structure), candidates[i].seed, strain) for i in symmetric]
    ends = relaxed_as_asked(moved, [None] * len(symmetric), resources)
    followed: dict[int, list[Candidate]] = {}
    for i, end in zip(symmetric, ends, strict=True):
        followed[i] = after_push(candidates[i], end, resources)
    return [c for i, candidate in enumerate(candidates) for c in followed.get(i, [candidate])]


def pushed(given: Structure, seed: int, strain: float = STRAIN) -> Structure:
    """Return a structure with atoms moved by 0.05 Å, root mean square, and the cell strained at random.

    Atoms that the structure marks as held keep their fractional coordinates.

    Args:
        given: The structure.
        seed: Random seed.
        strain: Standard deviation of each component of the strain; 0 leaves the cell.
    """
    from pymatgen.core import Structure

    rng = np.random.default_rng([seed, 1])
    shear = rng.standard_normal((3, 3)) * strain
    lattice = given.lattice.matrix @ (np.eye(3) + (shear + shear.T) / 2)
    step = rng.standard_normal((len(given), 3)) * _PUSH / np.sqrt(3)
    held = held_atoms(given)
    if held is not None:
        step[held] = 0.0
    frac = given.frac_coords + step @ np.linalg.inv(lattice)
    return Structure(lattice, given.species, frac, site_properties=given.site_properties, labels=given.labels)


def after_push(candidate: Candidate, end: Relaxed, resources: Resources) -> list[Candidate]:
    """Return what a symmetric candidate turns out to be after its push.

    - It stays itself where the push ends no lower, ends lower by at most 5 meV/atom, or does not converge.
    - It is replaced by the lower structure where that has the same space groups: it was merely not fully relaxed.
    - Otherwise it is a saddle. It fails, and the lower structure becomes a candidate of its own, with the saddle as
      parent.

    Args:
        candidate: The relaxed candidate before its push, of a symmetric start.
        end: The free relaxation of the pushed structure.
        resources: How it was relaxed.

    Returns:
        One candidate, or the failed saddle and the lower candidate.
    """
    energy = cast(float, candidate.energy_per_atom)
    if not end.converged or end.energy_per_atom is None:
        log.info("%s: saddle check came to no end: %s", candidate.id, end.reason)
        return [candidate]
    fall = energy - end.energy_per_atom
    if fall <= 0:
        return [candidate]
    lower = moved_on(candidate, end, resources)
    groups = [(c.space_group, c.space_group_loose) for c in (candidate, lower)]
    if groups[0] == groups[1] and cast(float, lower.energy_per_atom) < energy:
        return [lower]  # the same symmetry, relaxed further
    if fall <= _FALL:
        return [candidate]
    reason = f"saddle point: pushed off its symmetry it falls by {1000 * fall:.1f} meV/atom to {lower_id(candidate.id)}"
    return [failed(candidate, "relax", reason), replace(lower, id=lower_id(candidate.id), parent=candidate.id)]
