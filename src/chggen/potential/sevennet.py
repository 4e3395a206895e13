"""SevenNet as a potential that takes whole batches of crystals (optional extra `sevennet`)."""

from __future__ import annotations

import warnings
from typing import Any, Final

import torch

from chggen.crystals import Crystals, collate, edges_within, volume
from chggen.potential.batch_limits import BatchLimits, nothing
from chggen.potential.protocol import EnergyForcesStress, Potential

_BYTES_OF_EDGE: Final = 1_000_000  # measured with l3i5: 0.5 to 0.9 MB, for gradients through five layers
# On a CPU a crystal alone takes as long for each edge as one in a batch, and its last digits depend on nothing else.
_EDGES_AT_ONCE: Final = {"cpu": 1, "cuda": 50_000}
_LEFT_OUT: Final = ("reduce_total_enegy", "force_output")  # modules of SevenNet; sums and gradients are taken here


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
        for module in _LEFT_OUT:
            model.delete_module_by_key(module)
        model.set_is_batch_data(True)
        self.network = model.eval().requires_grad_(False).to(device)
        self.name = name
        self.level = level
        self.device = device
        self.one_at_a_time = torch.device(device).type == "cpu"
        self._modality = None if modality is None else int(model.modal_map[modality])
        self._limits = BatchLimits(
            name="SevenNet",
            cutoff=float(model.cutoff),
            known=frozenset(model.type_map),
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

            model = load_checkpoint(weights).build_model()
        return cls(model, name=name, level=level, modality=modality, device=device)

    def __call__(self, crystals: Crystals) -> EnergyForcesStress:
        """Return energy, forces and stress of each crystal.

        Args:
            crystals: The batch.
        """
        parts = crystals.to(self.device, torch.float64).split()
        failures = {k: reason for k, part in enumerate(parts) if (reason := self._limits.unfit(part)) is not None}
        found: list[tuple[torch.Tensor, ...]] = [nothing(n, self.device)[:3] for n in crystals.n_atoms.tolist()]
        for numbers in self._limits.batches([k for k in range(len(parts)) if k not in failures], parts, {}):
            for k, one in zip(numbers, self._evaluate(collate([parts[k] for k in numbers])), strict=True):
                if isinstance(one, str):
                    failures[k] = one
                else:
                    found[k] = one
        energy, forces, stress = (torch.cat(column).to(crystals.frac_coords) for column in zip(*found, strict=True))
        return EnergyForcesStress(energy=energy, forces=forces, stress=stress, failures=failures)

    def _evaluate(self, crystals: Crystals) -> list[tuple[torch.Tensor, ...] | str]:
        """Return energy (eV), forces (eV/Å) and stress (eV/Å³) of each crystal; the reason where they mean nothing."""
        edges = edges_within(crystals, self._limits.cutoff)
        owner = crystals.crystal_index[edges.receiver]
        vectors = edges.vectors(crystals)
        faults = self._limits.faults(crystals, edges, vectors.norm(dim=-1), owner)
        if faults and len(faults) == crystals.n_crystals:
            return [faults[k] for k in range(crystals.n_crystals)]
        single = vectors.float().requires_grad_(True)
        with torch.enable_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            of_atoms = self._energies(crystals, single, torch.stack([edges.receiver, edges.sender]))
            pull = torch.autograd.grad(of_atoms.sum(), single)[0].double()
        energy = vectors.new_zeros(crystals.n_crystals).index_add(0, crystals.crystal_index, of_atoms.detach().double())
        forces = torch.zeros_like(crystals.frac_coords)
        forces = forces.index_add(0, edges.receiver, pull).index_add(0, edges.sender, -pull)
        virial = torch.zeros_like(crystals.lattice).index_add(0, owner, vectors[:, :, None] * pull[:, None, :])
        stress = virial / volume(crystals.lattice)[:, None, None]
        columns = zip(energy.split(1), forces.split(crystals.n_atoms.tolist()), stress.split(1), strict=True)
        return [faults.get(k, one) for k, one in enumerate(columns)]

    def _energies(self, crystals: Crystals, vectors: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
        """Return the energy of each atom, eV. edges: receiver and sender of each vector."""
        import sevenn._keys as key

        data: dict[str, Any] = {
            key.NODE_FEATURE: self.network._atomic_numbers_to_onehot(crystals.atomic_numbers),
            key.ATOMIC_NUMBERS: crystals.atomic_numbers,
            key.EDGE_VEC: vectors,
            key.EDGE_IDX: edges,
            key.BATCH: crystals.crystal_index,
            key.NUM_ATOMS: crystals.n_atoms,
        }
        if self._modality is not None:
            data[key.MODAL_TYPE] = torch.full_like(crystals.n_atoms, self._modality)
        for module in self.network:
            data = module(data)
        energies: torch.Tensor = data[key.ATOMIC_ENERGY][:, 0]
        return energies
