"""Any ASE calculator as a Potential, one crystal after the other."""

from __future__ import annotations

import logging
from typing import Any, Final

import numpy as np
import torch

from chggen.crystals import Crystals
from chggen.errors import InputError
from chggen.potential.factory import failure, made_by_factory
from chggen.potential.protocol import EnergyForcesStress, Potential

_LOG = logging.getLogger(__name__)
_FORM: Final = "ase:module:factory, for example ase:ase.calculators.emt:EMT"


class AsePotential(Potential):
    """An ASE calculator as a potential. Crystals are computed one after the other.

    A calculator without a stress of its own gives a stress of NaN; relax with the cell fixed then.

    Args:
        calculator: The ASE calculator.
        name: What the potential is called; None stands for `ase:` and the calculator's class.
        level: Level of theory of its energies. None gives it a level of its own, named like the potential, since its
            energies must not be placed among those of another.
    """

    one_at_a_time = True
    """Batches save no time."""

    def __init__(self, calculator: Any, name: str | None = None, level: str | None = None) -> None:
        self.calculator = calculator
        self.name = name or f"ase:{type(calculator).__module__}:{type(calculator).__qualname__}"
        self.level = level or self.name

    @classmethod
    def from_name(cls, name: str) -> AsePotential:
        """Return the potential of a name such as `ase:ase.calculators.emt:EMT`.

        Args:
            name: `ase:module:factory`. The factory is called without arguments and returns an ASE calculator.

        Raises:
            InputError: The factory cannot be imported or called, or returns no calculator.
        """
        remedy = "install the module, or wrap the calculator's arguments in a function of your own"
        calculator = made_by_factory(name, "ase", _FORM, remedy)
        if not hasattr(calculator, "get_potential_energy"):
            raise InputError(
                f"potential '{name}' gave a {type(calculator).__name__}; expected an ASE calculator; name its factory"
            )
        return cls(calculator, name=name)

    def __call__(self, crystals: Crystals) -> EnergyForcesStress:
        """Return energy, forces and stress of each crystal.

        Args:
            crystals: The batch.
        """
        failures: dict[int, str] = {}
        parts = [self._single(k, c, failures) for k, c in enumerate(crystals.split())]
        like = crystals.frac_coords
        return EnergyForcesStress(
            energy=torch.tensor([e for e, _, _ in parts], dtype=like.dtype, device=like.device),
            forces=torch.from_numpy(np.concatenate([f for _, f, _ in parts])).to(like),
            stress=torch.from_numpy(np.stack([s for _, _, s in parts])).to(like),
            failures=failures,
        )

    def _single(self, k: int, crystal: Crystals, failures: dict[int, str]) -> tuple[float, np.ndarray, np.ndarray]:
        """Return energy, forces and stress of the k-th crystal; where they are NaN, the reason goes to `failures`."""
        from ase import Atoms

        stress = np.full((3, 3), np.nan)
        numbers = crystal.atomic_numbers.cpu().numpy()
        frac, cell = crystal.frac_coords.double().cpu().numpy(), crystal.lattice[0].double().cpu().numpy()
        try:
            if not (np.isfinite(frac).all() and np.isfinite(cell).all()):
                raise ValueError("coordinates are not finite")
            atoms = Atoms(numbers=numbers, scaled_positions=frac, cell=cell, pbc=True, calculator=self.calculator)
            energy, forces = float(atoms.get_potential_energy()), np.array(atoms.get_forces(), dtype=np.float64)
            if forces.shape != (len(numbers), 3):
                raise ValueError(f"forces of shape {forces.shape}; expected {(len(numbers), 3)}")
            try:
                stress = np.array(atoms.get_stress(voigt=False), dtype=np.float64)
            except NotImplementedError:  # PropertyNotImplementedError of ASE is one
                failures[k] = f"{self.name} gives no stress (relax with the cell fixed)"
        except BaseException as error:  # calculators raise anything on a bad crystal; it must cost no other crystal
            if hasattr(self.calculator, "reset"):
                self.calculator.reset()  # else it may give what it had by then when it is asked again
            if not isinstance(error, Exception):  # such as of one that exits
                raise
            _LOG.info("%s failed on a crystal of %d atoms: %s", self.name, len(numbers), error)
            failures[k] = failure(self.name, error)
            return float("nan"), np.full((len(numbers), 3), np.nan), stress
        return energy, forces, stress
