"""SevenNet as a potential that takes whole batches of crystals (optional extra `sevennet`)."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from typing import Any, Final

import torch

from chggen.crystals import Crystals, collate, edges_within, volume
from chggen.potential.batch_limits import BatchLimits, nothing
from chggen.potential.protocol import Energies, EnergyForcesStress, Potential
from chggen.potential.sevennet_network import SevenNetNetwork, Unit
from chggen.symmetry import SymmetryConstraint

_BYTES_OF_EDGE: Final = 1_000_000  # measured with l3i5: 0.5 to 0.9 MB, for gradients through five layers
# On a CPU a crystal alone takes as long for each edge as one in a batch, and its last digits depend on nothing else.
_EDGES_AT_ONCE: Final = {"cpu": 1, "cuda": 50_000}
_EXACT: Final = 1e-5  # Å; a symmetry that a crystal lacks by more is not used


class SevenNetPotential(Potential):
    """SevenNet as a potential. Its answers are those of the sevenn package's own calculator.

    Neighbours are found and the network is evaluated without ASE. Source: Park, Kim, Hwang, Han, J. Chem. Theory
    Comput. 20, 4857, 2024.

    Args:
        model: A SevenNet model (`sevenn.nn.sequential.AtomGraphSequential`), of which it takes hold.
        name: What the potential is called.
        level: Level of theory of its energies.
        modality: Which of its heads gives the energies, such as `R2SCAN`; None where it has one only.
        device: `cpu` or `cuda`.
    """

    def __init__(self, model: Any, *, name: str, level: str, modality: str | None = None, device: str = "cpu") -> None:
        self.network = SevenNetNetwork(model, modality, device)
        self.name = name
        self.level = level
        self.device = device
        self.one_at_a_time = torch.device(device).type == "cpu"
        self._limits = BatchLimits(
            name="SevenNet",
            cutoff=self.network.cutoff,
            known=self.network.known,
            bytes_of_edge=_BYTES_OF_EDGE,
            edges_at_once=_EDGES_AT_ONCE,
            device=device,
        )

    @classmethod
    def load(
        cls, weights: str, *, name: str, level: str, modality: str | None = None, device: str = "cpu"
    ) -> SevenNetPotential:
        """Return SevenNet with weights from the sevenn package.

        Args:
            weights: Name of the weights: `7net-0`, `7net-l3i5` or `7net-mf-0`.
            name: What the potential is called.
            level: Level of theory of its energies.
            modality: Which of its heads gives the energies; None where it has one only.
            device: `cpu` or `cuda`.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from sevenn.util import load_checkpoint
            from tqdm import tqdm

            # torch shows a bar while it builds the network; a lock between processes would outlive a worker
            tqdm.set_lock(threading.RLock())
            model = load_checkpoint(weights).build_model()
        return cls(model, name=name, level=level, modality=modality, device=device)

    def __call__(self, crystals: Crystals) -> EnergyForcesStress:
        """Return energy, forces and stress of each crystal.

        Args:
            crystals: The batch.
        """
        return self.of_symmetric(crystals, [None] * crystals.n_crystals)

    def of_symmetric(self, crystals: Crystals, symmetries: Sequence[SymmetryConstraint | None]) -> EnergyForcesStress:
        """Return what a call returns, averaged over the rotations of each group, for the price of asymmetric units.

        Args:
            crystals: The batch.
            symmetries: Symmetry of each crystal; None where none is known. One that a crystal lacks by more than
                1e-5 Å is not used, and none on a GPU, where crystals share batches.
        """
        parts = crystals.to(self.device, torch.float64).split()
        failures = {k: reason for k, part in enumerate(parts) if (reason := self._limits.unfit(part)) is not None}
        found: list[tuple[torch.Tensor, ...]] = [nothing(n, self.device)[:3] for n in crystals.n_atoms.tolist()]
        for numbers in self._limits.batches([k for k in range(len(parts)) if k not in failures], parts, {}):
            unit = self._unit(parts[numbers[0]], symmetries[numbers[0]]) if len(numbers) == 1 else None
            for k, one in zip(numbers, self._evaluate(collate([parts[k] for k in numbers]), unit), strict=True):
                if isinstance(one, str):
                    failures[k] = one
                else:
                    found[k] = one
        energy, forces, stress = (torch.cat(column).to(crystals.frac_coords) for column in zip(*found, strict=True))
        return EnergyForcesStress(energy=energy, forces=forces, stress=stress, failures=failures)

    def energies_of_symmetric(self, crystals: Crystals, symmetries: Sequence[SymmetryConstraint | None]) -> Energies:
        """Return the energies that `of_symmetric` gives.

        Args:
            crystals: The batch.
            symmetries: Symmetry of each crystal; None where none is known.
        """
        found = self.of_symmetric(crystals, symmetries)
        return Energies(energy=found.energy, failures=found.failures)

    def _unit(self, crystal: Crystals, symmetry: SymmetryConstraint | None) -> Unit | None:
        """Return the asymmetric unit of a crystal; None where it has no symmetry to use."""
        if symmetry is None or symmetry.deviation(crystal.frac_coords, crystal.lattice[0]) >= _EXACT:
            return None
        return self.network.unit(symmetry)

    def _evaluate(self, crystals: Crystals, unit: Unit | None) -> list[tuple[torch.Tensor, ...] | str]:
        """Return energy (eV), forces (eV/Å) and stress (eV/Å³) of each crystal; the reason where they mean nothing."""
        edges = edges_within(crystals, self._limits.cutoff)
        vectors, receiver, sender = edges.vectors(crystals), edges.receiver, edges.sender
        owner = crystals.crystal_index[receiver]
        faults = self._limits.faults(crystals, edges, vectors.norm(dim=-1), owner)
        if faults and len(faults) == crystals.n_crystals:
            return [faults[k] for k in range(crystals.n_crystals)]
        weights = torch.ones_like(crystals.atomic_numbers)
        if unit is not None:
            own = unit.place[receiver] >= 0
            vectors, receiver, sender, owner = vectors[own], receiver[own], sender[own], owner[own]
            weights = torch.bincount(unit.orbit)
        single = vectors.float().requires_grad_(True)
        with torch.enable_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            of_atoms = weights * self.network.energies(
                crystals.atomic_numbers, crystals.crystal_index, crystals.n_crystals, single, receiver, sender, unit
            )
            pull = torch.autograd.grad(of_atoms.sum(), single)[0].double()
        summed = crystals.crystal_index if unit is None else crystals.crystal_index[unit.atoms]
        energy = vectors.new_zeros(crystals.n_crystals).index_add(0, summed, of_atoms.detach().double())
        forces = torch.zeros_like(crystals.frac_coords).index_add(0, receiver, pull).index_add(0, sender, -pull)
        virial = torch.zeros_like(crystals.lattice).index_add(0, owner, vectors[:, :, None] * pull[:, None, :])
        stress = virial / volume(crystals.lattice)[:, None, None]
        if unit is not None:  # what the vectors of the unit alone exert has the right average only
            forces, stress = unit.symmetry.vectors(forces), unit.symmetry.tensor(stress[0])[None]
        columns = zip(energy.split(1), forces.split(crystals.n_atoms.tolist()), stress.split(1), strict=True)
        return [faults.get(k, one) for k, one in enumerate(columns)]
