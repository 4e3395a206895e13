"""Potential, the protocol of everything that gives energies, forces and stresses of crystals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from chggen.crystals import Crystals

GPA: Final = 1 / 160.21766208  # eV/Å³ in one GPa


@dataclass(frozen=True, kw_only=True)
class EnergyForcesStress:
    """What a potential says of a batch; NaN for a crystal it cannot compute, and for that crystal alone.

    energy: total energy of each crystal, eV. forces: −dE/dx in Cartesian axes, eV/Å. stress: (dE/dε)/V, eV/Å³, in
    ASE's sign: positive where the crystal is stretched and pulls inwards, so the pressure is −trace/3.
    magnetic_moments: size of each atom's, μ_B, where the potential knows them. failures: why a crystal is NaN, by its
    place in the batch, where the potential can tell.
    """

    energy: Float[Tensor, "crystals"]
    forces: Float[Tensor, "atoms 3"]
    stress: Float[Tensor, "crystals 3 3"]
    magnetic_moments: Float[Tensor, "atoms"] | None = None
    failures: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Energies:
    """Total energy of each crystal, eV, NaN where there is none; failures: why, by the crystal's place."""

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

    def __call__(self, crystals: Crystals) -> EnergyForcesStress: ...


@runtime_checkable
class CheapEnergies(Protocol):
    """A potential that gives energies for less than energy, forces and stress cost together."""

    def energies(self, crystals: Crystals) -> Energies: ...


def energies_of(potential: Potential, crystals: Crystals) -> Energies:
    """The energies of a batch alone, the cheap way where the potential has one."""
    if isinstance(potential, CheapEnergies):
        return potential.energies(crystals)
    found = potential(crystals)
    return Energies(energy=found.energy, failures=found.failures)
