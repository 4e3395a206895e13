"""From generated structures to relaxed ones with their symmetry: relaxation, saddle check, refinement."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from chggen.campaign.resources import Resources
from chggen.generation import KEPT
from chggen.relaxation import Relaxed, displacement, relax, write_trajectory
from chggen.results import Candidate, failed
from chggen.symmetry import operations, refine, space_group

if TYPE_CHECKING:
    from pymatgen.core import Structure

log = logging.getLogger(__name__)
_LADDER: Final = (0.5, 0.3, 0.1, 0.03)  # Å; symprecs at which a relaxed structure is symmetrised
SYMMETRY_COST: Final = 0.005  # eV/atom that symmetrising may cost before it is not done
_PUSH: Final = 0.05  # Å; root mean square displacement of an atom in the saddle check
_STRAIN: Final = 0.01  # of the cell along with it: what 0.05 Å are of 5 Å
_FALL: Final = 0.005  # eV/atom by which a pushed candidate falls from a saddle


def relax_candidates(
    candidates: Sequence[Candidate], resources: Resources, symmetric: Sequence[bool] | None = None
) -> list[Candidate]:
    """The candidates with relaxed, refined structures and energies; those that failed before stay as they are.

    Symmetric ones keep their group on the way, and are then pushed off it: where one falls, it is a saddle, marked as
    such, and the lower candidate follows it with the saddle as its parent.
    """
    assert resources.relax is not None
    going = [i for i, c in enumerate(candidates) if c.status == "ok"]
    marks = [bool(symmetric and symmetric[i]) for i in going]
    kept = [KEPT if mark else resources.relax.fix_symmetry for mark in marks]
    done = _relaxed([cast("Structure", candidates[i].structure) for i in going], kept, resources)
    result = list(candidates)
    for i, relaxed in zip(going, done, strict=True):
        if resources.trajectories is not None and relaxed.trajectory:
            write_trajectory(relaxed.trajectory, resources.trajectories / f"{candidates[i].id}.extxyz")
        result[i] = with_relaxation(candidates[i], relaxed, resources)
    pushed = [i for i, mark in zip(going, marks, strict=True) if mark and result[i].status == "ok"]
    return _off_saddles(result, pushed, resources)


def rescored(candidates: Sequence[Candidate], resources: Resources) -> list[Candidate]:
    """The candidates with their energies after relaxing on with the potential of `resources`, at its level.

    Their structures stay those of the first level, and they keep their symmetry on the way. One that does not relax
    stays without the energy, and the log says why.
    """
    level = resources.potential().level
    ends = _relaxed([cast("Structure", c.structure) for c in candidates], [KEPT] * len(candidates), resources)
    found = []
    for candidate, end in zip(candidates, ends, strict=True):
        if end.converged and end.energy_per_atom is not None:
            candidate = candidate.with_energy(level, end.energy_per_atom)
        else:
            log.info("%s: no energy at level %s: %s", candidate.id, level, end.reason)
        found.append(candidate)
    return found


def lower_id(name: str) -> str:
    """Id of what a saddle falls to."""
    return f"{name}-low"


def with_relaxation(candidate: Candidate, relaxed: Relaxed, resources: Resources) -> Candidate:
    """The candidate with its relaxed, refined structure, or marked as failed where relaxation broke down."""
    if relaxed.energy_per_atom is None or relaxed.initial_energy_per_atom is None:
        return failed(candidate, "relax", relaxed.reason or "the potential gives no energy")
    level = resources.potential().level
    candidate = replace(
        candidate,
        structure=relaxed.structure,
        level=level,
        energies={level: relaxed.energy_per_atom},
        relax_energy_change=relaxed.energy_per_atom - relaxed.initial_energy_per_atom,
        relax_rmsd=relaxed.rmsd,
        relax_steps=relaxed.n_steps,
        converged=relaxed.converged,
    )
    if not relaxed.converged:
        return failed(candidate, "relax", relaxed.reason or "not converged")
    return with_symmetry(candidate, resources)


def with_symmetry(candidate: Candidate, resources: Resources) -> Candidate:
    """The candidate with its space groups, symmetrised at the tolerance that gives most symmetry and costs no energy.

    Of tolerances that give the same the smallest. A cell that is fixed stays, and atoms alone are symmetrised.
    """
    structure, energy = cast("Structure", candidate.structure), cast(float, candidate.energy_per_atom)
    ladder = [found for symprec in _LADDER if (found := refine(structure, symprec)) is not None]
    if _fixed_cell(resources):
        for refined in ladder:
            refined.structure.lattice = structure.lattice
    ends = relax([r.structure for r in ladder], potential=resources.potential(), fix_cell=True, max_steps=0)
    costs = [end.energy_or_inf for end in ends]
    cheap = [(r, cost) for r, cost in zip(ladder, costs, strict=True) if cost < energy + SYMMETRY_COST]
    if cheap:
        refined, cost = max(cheap, key=lambda pair: (len(operations(pair[0].structure, 0.01)[0]), -pair[0].symprec))
        candidate = replace(
            candidate,
            structure=refined.structure,
            energies={cast(str, candidate.level): cost},
            refined_symprec=refined.symprec,
            refined_rms=refined.rms,
            refined_max=refined.largest,
        )
    return with_space_groups(candidate)


def with_space_groups(candidate: Candidate) -> Candidate:
    """The candidate with the space groups of its structure at 0.01 and 0.1 Å."""
    structure = cast("Structure", candidate.structure)
    return replace(candidate, space_group=space_group(structure, 0.01), space_group_loose=space_group(structure, 0.1))


def _fixed_cell(resources: Resources) -> bool:
    return resources.relax is not None and resources.relax.fix_cell


def _relaxed(structures: Sequence[Structure], symprecs: Sequence[float | None], resources: Resources) -> list[Relaxed]:
    assert resources.relax is not None
    return relax(
        structures,
        potential=resources.potential(),
        fix_cell=resources.relax.fix_cell,
        fix_symmetry=symprecs,
        pressure=resources.relax.pressure,
        fmax=resources.relax.fmax,
        max_steps=resources.relax.max_steps,
        optimizer=resources.relax.optimizer,
        device=resources.device,
        trajectory=resources.trajectories is not None,
    )


def _off_saddles(candidates: Sequence[Candidate], symmetric: Sequence[int], resources: Resources) -> list[Candidate]:
    """The candidates, each of the symmetric ones that is a saddle followed by the lower one."""
    strain = 0.0 if _fixed_cell(resources) else _STRAIN
    ends = _relaxed([_pushed(candidates[i], strain) for i in symmetric], [None] * len(symmetric), resources)
    followed: dict[int, list[Candidate]] = {}
    for i, end in zip(symmetric, ends, strict=True):
        followed[i] = after_push(candidates[i], end, resources)
    return [c for i, candidate in enumerate(candidates) for c in followed.get(i, [candidate])]


def _pushed(candidate: Candidate, size: float) -> Structure:
    """The structure with its atoms moved and its cell strained by this much at random, by the candidate's own seed."""
    from pymatgen.core import Structure

    given = cast("Structure", candidate.structure)
    rng = np.random.default_rng([candidate.seed, 1])
    strain = rng.standard_normal((3, 3)) * size
    lattice = given.lattice.matrix @ (np.eye(3) + (strain + strain.T) / 2)
    step = rng.standard_normal((len(given), 3)) * _PUSH / np.sqrt(3)
    return Structure(lattice, given.species, given.frac_coords + step @ np.linalg.inv(lattice))


def after_push(candidate: Candidate, end: Relaxed, resources: Resources) -> list[Candidate]:
    """What a symmetric candidate is after its push: itself, itself further down, or a saddle and the lower one."""
    energy = cast(float, candidate.energy_per_atom)
    if not end.converged or end.energy_per_atom is None:
        log.info("%s: saddle check came to no end: %s", candidate.id, end.reason)
        return [candidate]
    fall = energy - end.energy_per_atom
    if fall <= 0:
        return [candidate]
    lower = with_symmetry(
        replace(
            candidate,
            structure=end.structure,
            energies={cast(str, candidate.level): end.energy_per_atom},
            relax_energy_change=cast(float, candidate.relax_energy_change) - fall,
            relax_rmsd=displacement(cast("Structure", candidate.raw), end.structure),
            relax_steps=cast(int, candidate.relax_steps) + end.n_steps,
            refined_symprec=None,
            refined_rms=None,
            refined_max=None,
        ),
        resources,
    )
    groups = [(c.space_group, c.space_group_loose) for c in (candidate, lower)]
    if groups[0] == groups[1] and cast(float, lower.energy_per_atom) < energy:
        return [lower]  # the same symmetry, relaxed further
    if fall <= _FALL:
        return [candidate]
    reason = f"saddle point: pushed off its symmetry it falls by {1000 * fall:.1f} meV/atom to {lower_id(candidate.id)}"
    return [failed(candidate, "relax", reason), replace(lower, id=lower_id(candidate.id), parent=candidate.id)]
