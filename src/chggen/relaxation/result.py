"""Results of a relaxation: what is returned for each structure, and what all structures of one call share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from jaxtyping import Float

from chggen.crystals import rms_displacement

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure

NO_ENERGY: Final = "the potential gives no finite energy, forces or stress"


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One step of a relaxation.

    Attributes:
        structure: The structure at this step. Its coordinates are not wrapped into the cell.
        energy_per_atom: Energy in eV/atom, without the pressure term.
        forces: Forces from the potential, of shape (atoms, 3), in eV/Å. Those on fixed atoms are kept as well.
        stress: Stress from the potential, of shape (3, 3), in eV/Å³. As in ASE, it is positive under tension.
    """

    structure: Structure
    energy_per_atom: float
    forces: Float[np.ndarray, "atoms 3"]
    stress: Float[np.ndarray, "3 3"]


@dataclass(frozen=True, kw_only=True)
class Relaxed:
    """The result of relaxing one structure.

    A structure that did not converge is one of two cases. If it ran out of steps, `structure` is the last one that was
    reached, and it has an energy. If the potential gave no finite numbers or the structure blew up, `structure` is the
    one that was given, and there is no energy. `reason` says in a sentence what happened.

    Attributes:
        structure: The relaxed structure. Sites keep their order and properties, and coordinates are not wrapped.
        energy_per_atom: Final energy in eV/atom, without the pressure term. None where there is no energy.
        initial_energy_per_atom: Energy of the given structure in eV/atom, None where there is none.
        fmax: Largest force on a free atom at the end, in eV/Å. None where there is no energy.
        forces: Final forces from the potential, of shape (atoms, 3), in eV/Å. Those on fixed atoms are kept as well.
            None where there is no energy.
        stress: Final stress from the potential, of shape (3, 3), in eV/Å³. As in ASE, it is positive under tension, and
            without the external pressure. None where there is no energy, NaN where the potential gives no stress.
        magnetic_moments: Sizes of the final magnetic moments, of shape (atoms,), in μ_B. None where the potential knows
            of none.
        n_steps: Number of steps taken.
        converged: Whether forces and, for a free cell, the stress fell below the limit.
        reason: Why the structure has not converged, None if it has.
        rmsd: Root mean square displacement of the atoms from the given structure, in Å (see `displacement`). None where
            there is no energy.
        trajectory: The start, every step and the end, if a trajectory was asked for; otherwise empty.
    """

    structure: Structure
    energy_per_atom: float | None
    initial_energy_per_atom: float | None
    fmax: float | None
    n_steps: int
    converged: bool
    reason: str | None
    rmsd: float | None
    forces: Float[np.ndarray, "atoms 3"] | None = field(default=None, compare=False)
    stress: Float[np.ndarray, "3 3"] | None = field(default=None, compare=False)
    magnetic_moments: Float[np.ndarray, "atoms"] | None = field(default=None, compare=False)
    trajectory: tuple[Frame, ...] = ()

    @property
    def energy_or_inf(self) -> float:
        """The final energy in eV/atom, infinite where there is none, so that results can be sorted by it."""
        return math.inf if self.energy_per_atom is None else self.energy_per_atom


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What all structures of one call of `relax` share.

    Attributes:
        fix_cell: Whether the lattice stays as it was given.
        axis: Number of the axis along whose normal alone the cell may change; None for all of it.
        pressure: External pressure in eV/Å³ (`relax` takes GPa).
        fmax: Largest force at which a structure has converged, in eV/Å.
        max_steps: Most steps that a structure may take.
        trajectory: Whether every step is kept.
        optimizer: A name from `OPTIMIZERS`.
    """

    fix_cell: bool
    axis: int | None
    pressure: float
    fmax: float
    max_steps: int
    trajectory: bool
    optimizer: str


def failed(
    given: Structure, reason: str, n_steps: int, initial: float | None = None, frames: Sequence[Frame] = ()
) -> Relaxed:
    """Return the result of a structure that got no final energy.

    Args:
        given: The structure as it was given. It becomes the result's structure.
        reason: Why there is no energy, in a sentence.
        n_steps: Number of steps taken before the failure.
        initial: Energy of the given structure in eV/atom, None where the potential gave none.
        frames: The steps that were recorded before the failure.

    Returns:
        A result that has not converged and has no final energy.
    """
    return Relaxed(
        structure=given,
        energy_per_atom=None,
        initial_energy_per_atom=initial,
        fmax=None,
        n_steps=n_steps,
        converged=False,
        reason=reason,
        rmsd=None,
        trajectory=tuple(frames),
    )


def displacement(start: Structure, end: Structure) -> float:
    """Return how far the atoms moved between two structures, as a root mean square.

    Each atom is taken to its nearest periodic image, and the mean shift of all atoms is removed. Distances are measured
    in the mean of the two lattices, so that a change of the cell alone counts as no displacement.

    Args:
        start: The structure before.
        end: The structure after, with the same atoms in the same order. Its coordinates must not have been wrapped.

    Returns:
        Root mean square displacement over the atoms, in Å.
    """
    shift = torch.from_numpy(end.frac_coords - start.frac_coords)
    return rms_displacement(shift, torch.from_numpy((start.lattice.matrix + end.lattice.matrix) / 2))
