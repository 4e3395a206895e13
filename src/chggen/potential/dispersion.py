"""Dispersion: D3 energies, forces and stresses beside those of a potential that was trained without (extra `d3`).

PBE and r²SCAN hold layers and molecules together by too little. D3 adds the attraction between all pairs of atoms, by
coordination number, damped at short distance (Grimme, Ehrlich and Goerigk, J. Comput. Chem. 32, 1456, 2011). Terms of
three atoms are left out, as they are in VASP (IVDW = 12).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import torch

from chggen.crystals import Crystals
from chggen.potential.dispersed import SUFFIX
from chggen.potential.factory import failure
from chggen.potential.protocol import Energies, EnergyForcesStress, Potential, UsesSymmetry, energies_of, evaluate
from chggen.symmetry import SymmetryConstraint

_HEAVIEST: Final = 94  # Pu
_BOHR: Final = 0.529177210903  # Å
_HARTREE: Final = 27.211386245988  # eV


class DispersedPotential(Potential, UsesSymmetry):
    """A potential with D3 dispersion, a level of its own. On a GPU, too, D3 is computed on the CPU.

    Args:
        base: The potential.
        functional: Functional that it was trained on, which tells the damping: `pbe` or `r2scan`.
    """

    def __init__(self, base: Potential, functional: str) -> None:
        from dftd3.interface import RationalDampingParam

        self.base = base
        self.name, self.level = f"{base.name}{SUFFIX}", f"{base.level}{SUFFIX}"
        self.one_at_a_time = bool(getattr(base, "one_at_a_time", False))
        self._damping = RationalDampingParam(method=functional, atm=False)

    def __call__(self, crystals: Crystals) -> EnergyForcesStress:
        """Return energy, forces and stress of each crystal.

        Args:
            crystals: The batch.
        """
        return self._with_forces(crystals, self.base(crystals))

    def of_symmetric(self, crystals: Crystals, symmetries: Sequence[SymmetryConstraint | None]) -> EnergyForcesStress:
        """Return what a call returns, the potential by way of the symmetry of crystals where it can use that.

        Args:
            crystals: The batch.
            symmetries: Symmetry of each crystal; None where none is known.
        """
        return self._with_forces(crystals, evaluate(self.base, crystals, symmetries))

    def energies(self, crystals: Crystals) -> Energies:
        """Return the energy of each crystal.

        Args:
            crystals: The batch.
        """
        return self.energies_of_symmetric(crystals, [])

    def energies_of_symmetric(self, crystals: Crystals, symmetries: Sequence[SymmetryConstraint | None]) -> Energies:
        """Return the energy of each crystal, the potential's by way of its symmetry where it can use that.

        Args:
            crystals: The batch.
            symmetries: Symmetry of each crystal; None where none is known.
        """
        found = energies_of(self.base, crystals, symmetries)
        added = self._dispersion(crystals, found)
        return Energies(energy=found.energy + added.energy, failures=added.failures)

    def _with_forces(self, crystals: Crystals, found: EnergyForcesStress) -> EnergyForcesStress:
        added = self._dispersion(crystals, found)
        return replace(
            found,
            energy=found.energy + added.energy,
            forces=found.forces + added.forces,
            stress=found.stress + added.stress,
            failures=added.failures,
        )

    def _dispersion(self, crystals: Crystals, found: Energies | EnergyForcesStress) -> EnergyForcesStress:
        """Return what D3 adds to a batch, NaN where the potential has no energy; failures are those of both."""
        failures = dict(found.failures)
        parts = []
        for k, crystal in enumerate(crystals.split()):
            none = np.nan, np.full((len(crystal.atomic_numbers), 3), np.nan), np.full((3, 3), np.nan)
            try:
                parts.append(self._of_one(crystal) if bool(torch.isfinite(found.energy[k])) else none)
            except Exception as error:  # such as of an element that D3 has no parameters of; it costs no other crystal
                failures[k] = failure("D3", error)
                parts.append(none)
        energies, forces, stresses = zip(*parts, strict=True)
        like = crystals.frac_coords
        return EnergyForcesStress(
            energy=torch.tensor(energies).to(like),
            forces=torch.from_numpy(np.concatenate(forces)).to(like),
            stress=torch.from_numpy(np.stack(stresses)).to(like),
            failures=failures,
        )

    def _of_one(self, crystal: Crystals) -> tuple[float, np.ndarray, np.ndarray]:
        """Return D3 energy in eV, forces in eV/Å and stress in eV/Å³ of a crystal."""
        from dftd3.interface import DispersionModel

        numbers = crystal.atomic_numbers.cpu().numpy()
        if numbers.max() > _HEAVIEST:  # its program would end the process
            raise ValueError(f"there are no parameters of element {numbers.max()}; leave dispersion out")
        cell = crystal.lattice[0].double().cpu().numpy()
        positions = crystal.frac_coords.double().cpu().numpy() @ cell
        model = DispersionModel(numbers, positions / _BOHR, cell / _BOHR, np.array([True] * 3))
        found = model.get_dispersion(self._damping, grad=True)
        stress = found["virial"] * _HARTREE / abs(np.linalg.det(cell))
        return float(found["energy"]) * _HARTREE, -found["gradient"] * _HARTREE / _BOHR, stress
