"""SevenNet as a potential that takes whole batches of crystals (optional extra `sevennet`)."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import torch

from chggen.crystals import Crystals, collate, edges_within, volume
from chggen.potential.batch_limits import BatchLimits, nothing
from chggen.potential.mp2020 import mp2020_correction
from chggen.potential.protocol import Energies, EnergyForcesStress, Potential
from chggen.potential.sevennet_network import SevenNetNetwork, Unit
from chggen.symmetry import SymmetryConstraint

_BYTES_OF_EDGE: Final = 1_000_000  # measured with l3i5: 0.5 to 0.9 MB, for gradients through five layers
# On a CPU a crystal alone takes as long for each edge as one in a batch, and its last digits depend on nothing else.
_EDGES_AT_ONCE: Final = {"cpu": 1, "cuda": 50_000}
_Found = TypeVar("_Found")
_EXACT: Final = 1e-5  # Å; a symmetry that a crystal lacks by more is not used


class SevenNetPotential(Potential):
    """SevenNet as a potential. Its answers are those of the sevenn package's own calculator, but for corrections.

    Neighbours are found and the network is evaluated without ASE. Source: Park, Kim, Hwang, Han, J. Chem. Theory
    Comput. 20, 4857, 2024.

    Args:
        model: A SevenNet model (`sevenn.nn.sequential.AtomGraphSequential`), of which it takes hold.
        name: What the potential is called.
        level: Level of theory of its energies.
        modality: Which of its heads gives the energies, such as `R2SCAN`; None where it has one only.
        device: `cpu` or `cuda`.
        corrected: Whether energies get the corrections of `mp2020`, so that those of different compositions compare.
    """

    def __init__(
        self,
        model: Any,
        *,
        name: str,
        level: str,
        modality: str | None = None,
        device: str = "cpu",
        corrected: bool = False,
    ) -> None:
        self.network = SevenNetNetwork(model, modality, device)
        self.name = name
        self.level = level
        self.device = device
        self.corrected = corrected
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
    def load(cls, weights: str, **given: Any) -> SevenNetPotential:
        """Return SevenNet with weights from the sevenn package.

        Args:
            weights: Name of the weights: `7net-0`, `7net-l3i5` or `7net-mf-0`.
            **given: The arguments of the class, but for the model.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from sevenn.util import load_checkpoint
            from tqdm import tqdm

            # torch shows a bar while it builds the network; a lock between processes would outlive a worker
            tqdm.set_lock(threading.RLock())
            model = load_checkpoint(weights).build_model()
        return cls(model, **given)

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
        each, failures = self._each(crystals, symmetries, self._evaluate)
        sizes = crystals.n_atoms.tolist()
        found = [nothing(n, self.device)[:3] if one is None else one for n, one in zip(sizes, each, strict=True)]
        energy, forces, stress = (torch.cat(column).to(crystals.frac_coords) for column in zip(*found, strict=True))
        return EnergyForcesStress(energy=energy, forces=forces, stress=stress, failures=failures)

    def energies(self, crystals: Crystals) -> Energies:
        """Return the energies alone: the same as those of a call, in a third of the time.

        Args:
            crystals: The batch.
        """
        return self.energies_of_symmetric(crystals, [None] * crystals.n_crystals)

    def energies_of_symmetric(self, crystals: Crystals, symmetries: Sequence[SymmetryConstraint | None]) -> Energies:
        """Return the energies alone: the same as those of `of_symmetric`, in a third of the time.

        Args:
            crystals: The batch.
            symmetries: Symmetry of each crystal; None where none is known.
        """
        each, failures = self._each(crystals, symmetries, self._energies)
        nan = torch.full((1,), torch.nan, dtype=torch.float64, device=self.device)
        energy = torch.cat([nan if one is None else one for one in each])
        return Energies(energy=energy.to(crystals.frac_coords), failures=failures)

    def _each(
        self,
        crystals: Crystals,
        symmetries: Sequence[SymmetryConstraint | None],
        evaluate: Callable[[Crystals, _Edges, Unit | None], Sequence[_Found]],
    ) -> tuple[list[_Found | None], dict[int, str]]:
        """Evaluate crystals in bounded batches.

        Returns what `evaluate` found of each crystal, None where it failed, and the reasons of failure by place in the
        batch.
        """
        parts = crystals.to(self.device, torch.float64).split()
        failures = {k: reason for k, part in enumerate(parts) if (reason := self._limits.unfit(part)) is not None}
        found: list[_Found | None] = [None] * len(parts)
        for numbers in self._limits.batches([k for k in range(len(parts)) if k not in failures], parts, {}):
            unit = self._unit(parts[numbers[0]], symmetries[numbers[0]]) if len(numbers) == 1 else None
            whole = collate([parts[k] for k in numbers])
            edges = edges_within(whole, self._limits.cutoff)
            vectors, owner = edges.vectors(whole), whole.crystal_index[edges.receiver]
            faults = self._limits.faults(whole, edges, vectors.norm(dim=-1), owner)
            failures |= {numbers[k]: reason for k, reason in faults.items()}
            if len(faults) == len(numbers):
                continue
            rows = _Edges(vectors, edges.receiver, edges.sender, owner)
            if unit is not None:
                own = unit.place[edges.receiver] >= 0
                rows = _Edges(*(column[own] for column in rows))
            for k, one in zip(numbers, evaluate(whole, rows, unit), strict=True):
                found[k] = None if k in failures else one
        return found, failures

    def _unit(self, crystal: Crystals, symmetry: SymmetryConstraint | None) -> Unit | None:
        """Return the asymmetric unit of a crystal; None where it has no symmetry to use."""
        if symmetry is None or symmetry.deviation(crystal.frac_coords, crystal.lattice[0]) >= _EXACT:
            return None
        return self.network.unit(symmetry)

    def _of_atoms(self, crystals: Crystals, edges: _Edges, vectors: torch.Tensor, unit: Unit | None) -> torch.Tensor:
        """Return the energies of atoms, eV; with a unit, those of its atoms times as many as they stand for."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = self.network.energies(
                crystals.atomic_numbers,
                crystals.crystal_index,
                crystals.n_crystals,
                vectors,
                edges.receiver,
                edges.sender,
                unit,
            )
        return found if unit is None else found * torch.bincount(unit.orbit)

    @torch.no_grad()
    def _energies(self, crystals: Crystals, edges: _Edges, unit: Unit | None) -> tuple[torch.Tensor, ...]:
        """Return the energy of each crystal, eV."""
        return self._summed(self._of_atoms(crystals, edges, edges.vectors.float(), unit), crystals, unit).split(1)

    def _evaluate(self, crystals: Crystals, edges: _Edges, unit: Unit | None) -> list[tuple[torch.Tensor, ...]]:
        """Return energy (eV), forces (eV/Å) and stress (eV/Å³) of each crystal."""
        single = edges.vectors.float().requires_grad_(True)
        with torch.enable_grad():
            of_atoms = self._of_atoms(crystals, edges, single, unit)
            pull = torch.autograd.grad(of_atoms.sum(), single)[0].double()
        forces = torch.zeros_like(crystals.frac_coords)
        forces = forces.index_add(0, edges.receiver, pull).index_add(0, edges.sender, -pull)
        products = edges.vectors[:, :, None] * pull[:, None, :]
        virial = torch.zeros_like(crystals.lattice).index_add(0, edges.owner, products)
        stress = virial / volume(crystals.lattice)[:, None, None]
        if unit is not None:  # what the vectors of the unit alone exert has the right average only
            forces, stress = unit.symmetry.vectors(forces), unit.symmetry.tensor(stress[0])[None]
        energy = self._summed(of_atoms.detach(), crystals, unit)
        return list(zip(energy.split(1), forces.split(crystals.n_atoms.tolist()), stress.split(1), strict=True))

    def _summed(self, of_atoms: torch.Tensor, crystals: Crystals, unit: Unit | None) -> torch.Tensor:
        """Return the energy of each crystal, eV, from those of its atoms, or of the atoms of its unit."""
        owner = crystals.crystal_index if unit is None else crystals.crystal_index[unit.atoms]
        energy = torch.zeros(crystals.n_crystals, dtype=torch.float64, device=owner.device)
        energy = energy.index_add(0, owner, of_atoms.double())
        if not self.corrected:
            return energy
        return energy + torch.tensor([mp2020_correction(part) for part in crystals.split()]).to(energy)


class _Edges(NamedTuple):
    """The edges of a batch, of those atoms alone whose energies are computed.

    Attributes:
        vectors: Vectors from receivers to senders, of shape (edges, 3), in Å.
        receiver: Index of the atom that each starts from, of shape (edges,).
        sender: Index of the atom that each points to, of shape (edges,).
        owner: The crystal of each, of shape (edges,).
    """

    vectors: torch.Tensor
    receiver: torch.Tensor
    sender: torch.Tensor
    owner: torch.Tensor
