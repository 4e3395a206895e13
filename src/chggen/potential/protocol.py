"""Potential, the protocol of everything that gives energies, forces and stresses of crystals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from chggen.crystals import Crystals
from chggen.symmetry import SymmetryConstraint

GPA: Final = 1 / 160.21766208  # eV/Å³ in one GPa


@dataclass(frozen=True, kw_only=True)
class EnergyForcesStress:
    """What a potential says of a batch of crystals.

    Values are NaN for a crystal that the potential cannot compute, and for that crystal alone.

    Attributes:
        energy: Total energy of each crystal, of shape (crystals,), in eV.
        forces: −dE/dx in Cartesian axes, of shape (atoms, 3), in eV/Å.
        stress: (dE/dε)/V, of shape (crystals, 3, 3), in eV/Å³. The sign is ASE's: positive where the crystal is
            stretched and pulls inwards, so the pressure is −trace/3.
        magnetic_moments: Size of the magnetic moment of each atom, of shape (atoms,), in μ_B; None where the potential
            knows of none.
        failures: Place of a crystal in the batch to the reason why it is NaN, where the potential can tell.
    """

    energy: Float[Tensor, "crystals"]
    forces: Float[Tensor, "atoms 3"]
    stress: Float[Tensor, "crystals 3 3"]
    magnetic_moments: Float[Tensor, "atoms"] | None = None
    failures: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Energies:
    """Energies of a batch of crystals, without forces and stress.

    Attributes:
        energy: Total energy of each crystal, of shape (crystals,), in eV; NaN where there is none.
        failures: Place of a crystal in the batch to the reason why it is NaN, where the potential can tell.
    """

    energy: Float[Tensor, "crystals"]
    failures: Mapping[int, str] = field(default_factory=dict)


@runtime_checkable
class Potential(Protocol):
    """Anything that gives energy, forces and stress of a batch of crystals.

    Answers come in the batch's dtype and on its device. A crystal that cannot be computed comes back as NaN; it raises
    nothing and touches no other crystal of the batch.

    Attributes:
        name: How the potential was asked for, such as `chgnet`.
        level: Name of the level of theory of its energies (`Level`), which no other potential shares.
    """

    name: str
    level: str

    def __call__(self, crystals: Crystals) -> EnergyForcesStress:
        """Return energy, forces and stress of each crystal.

        Args:
            crystals: The batch.
        """
        ...


@runtime_checkable
class CheapEnergies(Protocol):
    """A potential that gives energies alone for less than energies, forces and stress cost together."""

    def energies(self, crystals: Crystals) -> Energies:
        """Return the energy of each crystal.

        Args:
            crystals: The batch.
        """
        ...


@runtime_checkable
class UsesSymmetry(Protocol):
    """A potential that computes a symmetric crystal for the price of its asymmetric unit."""

    def of_symmetric(self, crystals: Crystals, symmetries: Sequence[SymmetryConstraint | None]) -> EnergyForcesStress:
        """Return what a call returns, up to rounding.

        Args:
            crystals: The batch.
            symmetries: Symmetry of each crystal; None where none is known.
        """
        ...

    def energies_of_symmetric(self, crystals: Crystals, symmetries: Sequence[SymmetryConstraint | None]) -> Energies:
        """Return the energy of each crystal, up to rounding.

        Args:
            crystals: The batch.
            symmetries: Symmetry of each crystal; None where none is known.
        """
        ...


def evaluate(
    potential: Potential, crystals: Crystals, symmetries: Sequence[SymmetryConstraint | None]
) -> EnergyForcesStress:
    """Return what a potential says of crystals, by way of their symmetry where it can use that.

    Args:
        potential: The potential.
        crystals: The batch.
        symmetries: Symmetry of each crystal; None where none is known.
    """
    if isinstance(potential, UsesSymmetry) and any(symmetry is not None for symmetry in symmetries):
        return potential.of_symmetric(crystals, symmetries)
    return potential(crystals)


def energies_of(
    potential: Potential, crystals: Crystals, symmetries: Sequence[SymmetryConstraint | None] = ()
) -> Energies:
    """Return the energies of a batch alone, the cheap way where the potential has one.

    Args:
        potential: The potential.
        crystals: The batch.
        symmetries: Symmetry of each crystal, None where none is known; nothing at all for no symmetries.

    Returns:
        The same energies, in eV, as those that the potential gives together with forces and stress.
    """
    if isinstance(potential, UsesSymmetry) and any(symmetry is not None for symmetry in symmetries):
        return potential.energies_of_symmetric(crystals, symmetries)
    if isinstance(potential, CheapEnergies):
        return potential.energies(crystals)
    found = potential(crystals)
    return Energies(energy=found.energy, failures=found.failures)
