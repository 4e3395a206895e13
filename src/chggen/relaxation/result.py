"""What became of a relaxed structure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
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
    """A structure on its way down: energy in eV/atom, forces in eV/Å, stress in eV/Å³."""

    structure: Structure
    energy_per_atom: float
    forces: Float[np.ndarray, "atoms 3"]
    stress: Float[np.ndarray, "3 3"]


@dataclass(frozen=True, kw_only=True)
class Relaxed:
    """What became of a structure.

    Energies in eV/atom, without the pressure term; fmax: largest force on a free atom, eV/Å; rmsd: root mean square
    over atoms of the displacement from the given structure by the minimum image, mean shift removed, in the mean
    lattice, Å. Sites keep their order and properties, coordinates are not wrapped. When converged is False, reason
    says why: either the structure is the last one reached (out of steps), or, with no energy, the given one.
    trajectory: the start, every step and the end, where it was asked for.
    """

    structure: Structure
    energy_per_atom: float | None
    initial_energy_per_atom: float | None
    fmax: float | None
    n_steps: int
    converged: bool
    reason: str | None
    rmsd: float | None
    trajectory: tuple[Frame, ...] = ()

    @property
    def energy_or_inf(self) -> float:
        """For comparisons: energy_per_atom, infinite where there is none."""
        return math.inf if self.energy_per_atom is None else self.energy_per_atom


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What all structures of a call share: pressure in eV/Å³, fmax in eV/Å."""

    fix_cell: bool
    pressure: float
    fmax: float
    max_steps: int
    trajectory: bool
    optimizer: str


def failed(
    given: Structure, reason: str, n_steps: int, initial: float | None = None, frames: Sequence[Frame] = ()
) -> Relaxed:
    """The mark of a structure without energy: the given one, and why; frames: of its way, as far as it came."""
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
    """Root mean square over atoms, Å, between structures of the same atoms whose coordinates were not wrapped.

    By the minimum image, mean shift removed, in the mean lattice.
    """
    shift = torch.from_numpy(end.frac_coords - start.frac_coords)
    return rms_displacement(shift, torch.from_numpy((start.lattice.matrix + end.lattice.matrix) / 2))
