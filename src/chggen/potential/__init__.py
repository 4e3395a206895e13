"""Interatomic potentials: energy, forces and stress of a batch of crystals, one adapter per library."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from chggen.config import InputError
from chggen.crystals import Crystals

GPA: Final = 1 / 160.21766208  # eV/Å³ in one GPa
POTENTIALS: Final = ("chgnet", "chgnet-r2scan")
_CHGNET: Final = {"chgnet": ("0.3.0", "pbe"), "chgnet-r2scan": ("r2scan", "r2scan")}  # weights, level of theory


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
    """Anything that gives energy, forces and stress of a batch, in the batch's dtype and on its device.

    name is how it was asked for; level its level of theory: `pbe` (with Materials Project corrections), `r2scan`, or
    `other`. A crystal that cannot be computed comes back as NaN; it raises nothing and touches no other.
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


def load_potential(name: str = "chgnet", device: str | torch.device = "cpu") -> Potential:
    """The potential of this name: `chgnet`, `chgnet-r2scan`, `ase:module:factory` or `torch-sim:module:factory`.

    The last two call `factory()` of an importable module for an ASE calculator, e.g. `ase:ase.calculators.emt:EMT`, or
    a torch-sim model; it runs where that runs, whatever the device. Raises InputError for an unknown name or factory.
    """
    if name in _CHGNET:
        return _chgnet(name, str(device))
    if name.startswith("ase:"):
        from chggen.potential.ase import AsePotential

        return AsePotential.from_name(name)
    if name.startswith("torch-sim:"):
        from chggen.potential.torch_sim import TorchSimPotential

        return TorchSimPotential.from_name(name)
    raise InputError(
        f"unknown potential '{name}'; expected {', '.join(POTENTIALS)}, ase:module:factory or torch-sim:module:factory;"
        " pass one of these, or a Potential object"
    )


@functools.cache
def _chgnet(name: str, device: str) -> Potential:
    """Weights are read once a process: many small relaxations share them."""
    from chggen.potential.chgnet import ChgnetPotential

    weights, level = _CHGNET[name]
    return ChgnetPotential.load(weights, name=name, level=level, device=device)
