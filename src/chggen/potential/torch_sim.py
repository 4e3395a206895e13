"""Any torch-sim model as a Potential, the whole batch at once on the model's device (optional extra `torch-sim`)."""

from __future__ import annotations

import importlib.util
from typing import Any, Final

import torch

from chggen.crystals import Crystals
from chggen.errors import InputError
from chggen.potential.factory import failure, made_by_factory
from chggen.potential.protocol import EnergyForcesStress, Potential

_FORM: Final = "torch-sim:module:factory, a function without arguments that gives a torch-sim model with stress"


class TorchSimPotential(Potential):
    """A torch-sim model that computes forces and stress, as a potential; the whole batch goes through at once.

    Args:
        model: The model (`torch_sim.models.interface.ModelInterface`).
        name: What the potential is called; None stands for `torch-sim:` and the model's class.
        level: Level of theory of its energies. None gives it a level of its own, named like the potential, since its
            energies must not be placed among those of another.
    """

    def __init__(self, model: Any, name: str | None = None, level: str | None = None) -> None:
        self.model = model
        self.name = name or f"torch-sim:{type(model).__module__}:{type(model).__qualname__}"
        self.level = level or self.name

    @classmethod
    def from_name(cls, name: str) -> TorchSimPotential:
        """Return the potential of a name such as `torch-sim:my_module:my_factory`.

        Args:
            name: `torch-sim:module:factory`. The factory is called without arguments and returns a torch-sim model that
                computes forces and stress.

        Raises:
            InputError: The factory cannot be imported or called, or its model lacks forces or stress.
        """
        remedy = "install chggen[torch-sim] and the module, or wrap the model's arguments in a function of your own"
        model = made_by_factory(name, "torch-sim", _FORM, remedy)
        if importlib.util.find_spec("torch_sim") is None:
            raise InputError(f"potential '{name}' cannot be made (no torch_sim here); expected {_FORM}; {remedy}")
        if not (getattr(model, "compute_forces", False) and getattr(model, "compute_stress", False)):
            raise InputError(
                f"potential '{name}' gave a {type(model).__name__} without forces or stress; expected {_FORM}; "
                "switch both on in the factory"
            )
        return cls(model, name=name)

    def __call__(self, crystals: Crystals) -> EnergyForcesStress:
        """Return energy, forces and stress of each crystal. If the batch fails, each crystal is tried alone.

        Args:
            crystals: The batch.
        """
        failures: dict[int, str] = {}
        try:
            found = self._evaluate(crystals)
        except Exception as error:  # models raise anything on a bad crystal; it must cost no other crystal
            parts = crystals.split()
            if len(parts) == 1:
                none = torch.full_like(crystals.frac_coords, torch.nan)
                return EnergyForcesStress(
                    energy=none.new_full((1,), torch.nan),
                    forces=none,
                    stress=torch.full_like(crystals.lattice, torch.nan),
                    failures={0: failure(self.name, error)},
                )
            alone = [self(part) for part in parts]
            failures = {k: one.failures[0] for k, one in enumerate(alone) if one.failures}
            found = tuple(
                torch.cat(column) for column in zip(*((a.energy, a.forces, a.stress) for a in alone), strict=True)
            )
        like = crystals.frac_coords
        energy, forces, stress = (x.to(like) for x in found)
        return EnergyForcesStress(energy=energy, forces=forces, stress=stress, failures=failures)

    def _evaluate(self, crystals: Crystals) -> tuple[torch.Tensor, ...]:
        """Return energies (eV), forces (eV/Å) and stresses (eV/Å³) of a batch."""
        from torch_sim.state import SimState

        if not (crystals.frac_coords.isfinite().all() and crystals.lattice.isfinite().all()):
            raise ValueError("coordinates are not finite")
        here = crystals.to(self.model.device, self.model.dtype)
        state = SimState(
            positions=here.cart_coords,
            masses=torch.ones_like(here.frac_coords[:, 0]),
            cell=here.lattice.transpose(1, 2).contiguous(),  # torch-sim's cells are columns
            pbc=True,
            atomic_numbers=here.atomic_numbers,
            system_idx=here.crystal_index,
        )
        found = self.model(state)
        return tuple(found[name].detach() for name in ("energy", "forces", "stress"))
