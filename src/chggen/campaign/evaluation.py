"""What a relaxation makes of a candidate: its structure, energy, forces and symmetry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from chggen.campaign.resources import Resources
from chggen.execution import at_stage
from chggen.generation import KEPT
from chggen.io import held_atoms
from chggen.relaxation import Relaxed, displacement, relax
from chggen.results import Candidate, failed
from chggen.symmetry import Refined, SymmetryConstraint, operations, refine, space_group

if TYPE_CHECKING:
    from pymatgen.core import Structure

_LADDER: Final = (0.5, 0.3, 0.1, 0.03)  # Å; symprecs tried when a relaxed structure is symmetrised
SYMMETRY_COST: Final = 0.005  # eV/atom; symmetrising that costs more is not done
_ALIKE: Final = 1e-8  # Å, and fractional: rounding
_VOIGT: Final = ([0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1])  # xx, yy, zz, yz, xz, xy, as ASE orders stresses


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
        forces=None if forces is None or not np.isfinite(forces).all() else tuple(map(tuple, forces.tolist())),
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
    if holds_cell(resources):
        for refined in ladder:
            refined.structure.lattice = structure.lattice
    firsts = [next(k for k, other in enumerate(ladder) if _same(other, refined)) for refined in ladder]
    different = sorted(set(firsts))
    ends = dict(zip(different, single_points([ladder[k].structure for k in different], resources), strict=True))
    each = [ends[k] for k in firsts]
    cheap = [(r, e) for r, e in zip(ladder, each, strict=True) if e.energy_or_inf < energy + SYMMETRY_COST]
    if cheap:
        refined, end = max(cheap, key=lambda pair: (len(operations(pair[0].structure, 0.01)[0]), -pair[0].symprec))
        candidate = replace(
            evaluated(candidate, end),
            structure=refined.structure,
            relax_energy_change=cast(float, candidate.relax_energy_change) + end.energy_or_inf - energy,
            refined_symprec=refined.symprec,
            refined_rms=refined.rms,
            refined_max=refined.largest,
        )
    return with_space_groups(candidate)


def _same(one: Refined, two: Refined) -> bool:
    """Return whether two refinements of a structure came out the same, as they do at tolerances that find one group."""
    a, b = one.structure, two.structure
    shift = a.frac_coords - b.frac_coords
    off = float(np.abs(shift - np.round(shift)).max(initial=0.0))
    strained = float(np.abs(a.lattice.matrix - b.lattice.matrix).max())
    return one.space_group == two.space_group and max(off, strained) < _ALIKE


def with_space_groups(candidate: Candidate) -> Candidate:
    """Return a candidate with the space groups of its structure at symprec 0.01 and 0.1 Å.

    Args:
        candidate: A candidate with a structure.
    """
    structure = cast("Structure", candidate.structure)
    return replace(candidate, space_group=space_group(structure, 0.01), space_group_loose=space_group(structure, 0.1))


def holds_cell(resources: Resources) -> bool:
    """Return whether the run holds cells, or parts of them, fixed while it relaxes.

    Args:
        resources: How the run relaxes.
    """
    return resources.relax is not None and resources.relax.holds_cell


def single_points(structures: Sequence[Structure], resources: Resources) -> list[Relaxed]:
    """Evaluate structures as they are, by way of their symmetry where they have any.

    Args:
        structures: The structures.
        resources: The potential and its device.

    Returns:
        Relaxations of no steps.
    """
    return relax(
        structures,
        potential=resources.potential(),
        fix_cell=True,
        fix_symmetry=[SymmetryConstraint.sparing(structure, KEPT) for structure in structures],
        max_steps=0,
        device=resources.device,
    )


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
        free_axis=resources.relax.free_axis,
        fixed_atoms=[held_atoms(structure) for structure in structures],
        fix_symmetry=symprecs,
        pressure=resources.relax.pressure,
        fmax=resources.relax.fmax,
        max_steps=resources.relax.max_steps,
        optimizer=resources.relax.optimizer,
        device=resources.device,
        trajectory=resources.trajectories is not None,
    )
