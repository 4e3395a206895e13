"""From generated structures to relaxed ones with their symmetry: relaxation, saddle check, refinement."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from chggen.campaign.resources import Resources
from chggen.execution import at_stage
from chggen.generation import KEPT
from chggen.io import held_atoms, inside
from chggen.relaxation import Relaxed, displacement, relax, write_trajectory
from chggen.results import Candidate, failed
from chggen.symmetry import operations, refine, space_group

if TYPE_CHECKING:
    from pymatgen.core import Structure

log = logging.getLogger(__name__)
_LADDER: Final = (0.5, 0.3, 0.1, 0.03)  # Å; symprecs tried when a relaxed structure is symmetrised
SYMMETRY_COST: Final = 0.005  # eV/atom; symmetrising that costs more is not done
_PUSH: Final = 0.05  # Å; root mean square displacement of an atom when it is pushed in the saddle check
_STRAIN: Final = 0.01  # standard deviation of the strain of the cell in the same push: 0.05 Å of 5 Å
_VOIGT: Final = ([0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1])  # xx, yy, zz, yz, xz, xy, as ASE orders stresses
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

    They keep their symmetry on the way. Their structures stay those of the first level. One that does not relax gets no
    energy at this level, and is marked (`Candidate.unplaced_at`).

    Args:
        candidates: Relaxed candidates.
        resources: How to relax, with the potential whose level is wanted.

    Returns:
        The candidates in their order, with the energy at the further level where there is one.
    """
    level = resources.potential().level
    ends = relaxed_as_asked([cast("Structure", c.structure) for c in candidates], [KEPT] * len(candidates), resources)
    found = []
    for candidate, end in zip(candidates, ends, strict=True):
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


def with_relaxation(candidate: Candidate, relaxed: Relaxed, resources: Resources) -> Candidate:
    """Return a candidate with the outcome of its relaxation, refined where it converged.

    Args:
        candidate: The candidate before relaxation.
        relaxed: What became of its structure.
        resources: How it was relaxed.

    Returns:
        The candidate with its relaxed, refined structure, energy and space groups. Failed where the potential gave no
        energy or the relaxation did not converge.
    """
    if relaxed.energy_per_atom is None or relaxed.initial_energy_per_atom is None:
        return failed(candidate, "relax", relaxed.reason or "the potential gives no energy")
    level = resources.potential().level
    candidate = replace(
        evaluated(replace(candidate, level=level), relaxed),
        relax_energy_change=relaxed.energy_per_atom - relaxed.initial_energy_per_atom,
        relax_rmsd=relaxed.rmsd,
        relax_steps=relaxed.n_steps,
        converged=relaxed.converged,
    )
    if not relaxed.converged:
        return failed(candidate, "relax", relaxed.reason or "not converged")
    return with_symmetry(candidate, resources)


def evaluated(candidate: Candidate, end: Relaxed) -> Candidate:
    """Return a candidate with a structure and all that its potential says of it.

    Args:
        candidate: The candidate. Its `level` is that of the potential.
        end: The end of a relaxation, which has an energy.
    """
    assert end.energy_per_atom is not None
    forces, stress, moments = end.forces, end.stress, end.magnetic_moments
    return replace(
        candidate,
        structure=end.structure,
        energies={cast(str, candidate.level): end.energy_per_atom},
        forces=None if forces is None else tuple(map(tuple, forces.tolist())),
        stress=None if stress is None or not np.isfinite(stress).all() else tuple(stress[_VOIGT].tolist()),
        magnetic_moments=None if moments is None or not np.isfinite(moments).all() else tuple(moments.tolist()),
    )


def moved_on(candidate: Candidate, end: Relaxed, resources: Resources) -> Candidate:
    """Return a relaxed candidate where a further relaxation led, symmetrised as `with_symmetry` does it.

    Args:
        candidate: The candidate after its first relaxation.
        end: A further relaxation that began near it and has an energy.
        resources: How it was relaxed.

    Returns:
        The candidate with the new structure, energy and symmetry. What relaxation changed counts from the raw
        structure on.
    """
    change = cast(float, end.energy_per_atom) - cast(float, candidate.energy_per_atom)
    moved = replace(
        evaluated(candidate, end),
        relax_energy_change=cast(float, candidate.relax_energy_change) + change,
        relax_rmsd=displacement(cast("Structure", candidate.raw), end.structure),
        relax_steps=cast(int, candidate.relax_steps) + end.n_steps,
        refined_symprec=None,
        refined_rms=None,
        refined_max=None,
    )
    return with_symmetry(moved, resources)


@at_stage("refine")
def with_symmetry(candidate: Candidate, resources: Resources) -> Candidate:
    """Return a relaxed candidate, symmetrised where that costs no energy, with its space groups.

    Tolerances from 0.03 to 0.5 Å are tried. Of those that raise the energy by less than 5 meV/atom, the one that gives
    most symmetry operations is taken, and of several such the smallest. If the run holds cells fixed, the cell stays
    and only atoms are symmetrised.

    Args:
        candidate: A relaxed candidate with an energy.
        resources: How it was relaxed, and the potential that gives the energies.

    Returns:
        The candidate with structure, energy, space groups and `refined_*`. Where no tolerance will do, or atoms are
        held in place, the structure and its energy stay as they are.
    """
    if held_atoms(cast("Structure", candidate.structure)) is not None:
        return with_space_groups(candidate)
    structure, energy = cast("Structure", candidate.structure), cast(float, candidate.energy_per_atom)
    ladder = [found for symprec in _LADDER if (found := refine(structure, symprec)) is not None]
    if _fixed_cell(resources):
        for refined in ladder:
            refined.structure.lattice = structure.lattice
    ends = relax([r.structure for r in ladder], potential=resources.potential(), fix_cell=True, max_steps=0)
    cheap = [(r, e) for r, e in zip(ladder, ends, strict=True) if e.energy_or_inf < energy + SYMMETRY_COST]
    if cheap:
        refined, end = max(cheap, key=lambda pair: (len(operations(pair[0].structure, 0.01)[0]), -pair[0].symprec))
        candidate = replace(
            evaluated(candidate, end),
            structure=refined.structure,
            refined_symprec=refined.symprec,
            refined_rms=refined.rms,
            refined_max=refined.largest,
        )
    return with_space_groups(candidate)


def with_space_groups(candidate: Candidate) -> Candidate:
    """Return a candidate with the space groups of its structure at symprec 0.01 and 0.1 Å.

    Args:
        candidate: A candidate with a structure.
    """
    structure = cast("Structure", candidate.structure)
    return replace(candidate, space_group=space_group(structure, 0.01), space_group_loose=space_group(structure, 0.1))


def _fixed_cell(resources: Resources) -> bool:
    """Return whether the run holds cells fixed while it relaxes."""
    return resources.relax is not None and resources.relax.fix_cell


def relaxed_as_asked(
    structures: Sequence[Structure], symprecs: Sequence[float | None], resources: Resources
) -> list[Relaxed]:
    """Relax structures as the run does. Atoms that a structure marks as held stay at their fractional coordinates.

    Args:
        structures: The structures.
        symprecs: For each the symprec in Å of the symmetry that it keeps, None for none.
        resources: How to relax, and with which potential.
    """
    assert resources.relax is not None
    return relax(
        structures,
        potential=resources.potential(),
        fix_cell=resources.relax.fix_cell,
        fixed_atoms=[held_atoms(structure) for structure in structures],
        fix_symmetry=symprecs,
        pressure=resources.relax.pressure,
        fmax=resources.relax.fmax,
        max_steps=resources.relax.max_steps,
        optimizer=resources.relax.optimizer,
        device=resources.device,
        trajectory=resources.trajectories is not None,
    )


def _off_saddles(candidates: Sequence[Candidate], symmetric: Sequence[int], resources: Resources) -> list[Candidate]:
    """Push candidates, given by their indices, off their symmetry; return all, the lower ones behind saddles."""
    strain = 0.0 if _fixed_cell(resources) else _STRAIN
    ends = relaxed_as_asked([_pushed(candidates[i], strain) for i in symmetric], [None] * len(symmetric), resources)
    followed: dict[int, list[Candidate]] = {}
    for i, end in zip(symmetric, ends, strict=True):
        followed[i] = after_push(candidates[i], end, resources)
    return [c for i, candidate in enumerate(candidates) for c in followed.get(i, [candidate])]


def _pushed(candidate: Candidate, size: float) -> Structure:
    """Return a candidate's structure with atoms moved and cell strained at random, from the candidate's own seed.

    size: standard deviation of each component of the strain.
    """
    from pymatgen.core import Structure

    given = cast("Structure", candidate.structure)
    rng = np.random.default_rng([candidate.seed, 1])
    strain = rng.standard_normal((3, 3)) * size
    lattice = given.lattice.matrix @ (np.eye(3) + (strain + strain.T) / 2)
    step = rng.standard_normal((len(given), 3)) * _PUSH / np.sqrt(3)
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
