"""CHGNet as a potential that takes whole batches of crystals."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import torch

from chggen.crystals import Crystals, collate, edges_within, volume
from chggen.potential.asymmetric_graph import asymmetric_graph
from chggen.potential.batch_limits import BatchLimits, nothing
from chggen.potential.bond_graph import BondGraph, bond_graph
from chggen.potential.chgnet_network import ChgnetNetwork
from chggen.potential.protocol import Energies, EnergyForcesStress, Potential
from chggen.symmetry import SymmetryConstraint

_KNOWN: Final = range(1, 95)  # up to Pu, the last element CHGNet embeds
_BYTES_OF_EDGE: Final = 50_000  # measured: 17 to 45 kB, most where many atoms are within the angle cutoff
_EDGES_AT_ONCE: Final = {"cpu": 8_000, "cuda": 400_000}  # more is no faster on a CPU
_EXACT: Final = 1e-5  # Å; times the pull of a bond, a few eV/Å, this is the error of the energy
_Found = TypeVar("_Found")


class ChgnetPotential(Potential):
    """CHGNet as a potential. Its answers are those of the chgnet package itself.

    A large batch is cut where its edges are too many, so that memory stays bounded.

    Args:
        model: A chgnet model (`chgnet.model.model.CHGNet`).
        name: What the potential is called.
        level: Level of theory of its energies.
        device: `cpu` or `cuda`.
    """

    def __init__(self, model: Any, *, name: str, level: str, device: str = "cpu") -> None:
        self.network = ChgnetNetwork(model.eval().requires_grad_(False))
        self.name = name
        self.level = level
        self.device = device
        self._limits = BatchLimits(
            name="CHGNet",
            cutoff=self.network.atom_cutoff,
            known=_KNOWN,
            bytes_of_edge=_BYTES_OF_EDGE,
            edges_at_once=_EDGES_AT_ONCE,
            device=device,
        )

    @classmethod
    def load(cls, weights: str, *, name: str, level: str, device: str = "cpu") -> ChgnetPotential:
        """Return CHGNet with weights from the chgnet package.

        Args:
            weights: Name of the weights: `0.3.0` (trained on PBE energies) or `r2scan`.
            name: What the potential is called.
            level: Level of theory of its energies.
            device: `cpu` or `cuda`.
        """
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            from chgnet.model.model import CHGNet

            model = CHGNet.load(model_name=weights, use_device=device, verbose=False)
        return cls(model, name=name, level=level, device=device)

    def __call__(self, crystals: Crystals) -> EnergyForcesStress:
        """Return energy, forces, stress and magnetic moments of each crystal.

        Args:
            crystals: The batch.
        """
        return self.of_symmetric(crystals, [None] * crystals.n_crystals)

    def of_symmetric(self, crystals: Crystals, symmetries: Sequence[SymmetryConstraint | None]) -> EnergyForcesStress:
        """Return what a call returns, up to rounding, for the price of the asymmetric units.

        Args:
            crystals: The batch.
            symmetries: Symmetry of each crystal; None where none is known. One that a crystal lacks by more than
                1e-5 Å is not used.
        """
        each, failures = self._each(crystals, self._evaluate, symmetries)
        sizes = crystals.n_atoms.tolist()
        found = [nothing(n, self.device) if one is None else one for n, one in zip(sizes, each, strict=True)]
        energy, forces, stress, moments = (
            torch.cat(column).to(crystals.frac_coords) for column in zip(*found, strict=True)
        )
        return EnergyForcesStress(
            energy=energy, forces=forces, stress=stress, magnetic_moments=moments, failures=failures
        )

    def energies(self, crystals: Crystals) -> Energies:
        """Return the energies alone: the same as those of a call, to the bit, in less time.

        Args:
            crystals: The batch.
        """
        return self.energies_of_symmetric(crystals, [None] * crystals.n_crystals)

    def energies_of_symmetric(self, crystals: Crystals, symmetries: Sequence[SymmetryConstraint | None]) -> Energies:
        """Return the energies alone: the same as those of `of_symmetric`, to the bit, in less time.

        Args:
            crystals: The batch.
            symmetries: Symmetry of each crystal; None where none is known.
        """
        found, failures = self._each(crystals, self._energies, symmetries)
        nan = torch.full((1,), torch.nan, dtype=torch.float64, device=self.device)
        energy = torch.cat([nan if one is None else one for one in found])
        return Energies(energy=energy.to(crystals.frac_coords), failures=failures)

    def _each(
        self,
        crystals: Crystals,
        evaluate: Callable[[Crystals, _Bonds], list[_Found]],
        symmetries: Sequence[SymmetryConstraint | None],
    ) -> tuple[list[_Found | None], dict[int, str]]:
        """Evaluate crystals in bounded batches.

        Returns what `evaluate` found of each crystal, None where it failed, and the reasons of failure by place in the
        batch.
        """
        parts = crystals.to(self.device, torch.float64).split()
        found: list[_Found | None] = [None] * len(parts)
        failures = {k: reason for k, part in enumerate(parts) if (reason := self._limits.unfit(part)) is not None}
        known = {k: s.to(self.device) for k, s in enumerate(symmetries) if s is not None and k not in failures}
        usable = {k: s for k, s in known.items() if _fits(s, parts[k])}
        plain = [k for k in range(len(parts)) if k not in failures and k not in usable]
        shares = {k: s.share for k, s in usable.items()}
        for numbers in [*self._limits.batches(plain, parts, {}), *self._limits.batches(list(usable), parts, shares)]:
            whole = collate([parts[k] for k in numbers])
            bonds = self._bonds(whole, [usable[k] for k in numbers if k in usable])
            if bonds.faults:  # the others without those at fault
                failures |= {numbers[k]: reason for k, reason in bonds.faults.items()}
                numbers = [k for k in numbers if k not in failures]
                if not numbers:
                    continue
                whole = collate([parts[k] for k in numbers])
                bonds = self._bonds(whole, [usable[k] for k in numbers if k in usable])
            for k, one in zip(numbers, evaluate(whole, bonds), strict=True):
                found[k] = one
        return found, failures

    def _bonds(self, crystals: Crystals, symmetries: Sequence[SymmetryConstraint]) -> _Bonds:
        """Return the bonds of a batch, and which crystals have atoms too close together or without neighbours.

        The bonds are those of the asymmetric units, if symmetries are given.
        """
        edges = edges_within(crystals, self.network.atom_cutoff)
        if symmetries:
            graph = asymmetric_graph(crystals, edges, self.network.angle_cutoff, symmetries)
        else:
            graph = bond_graph(crystals, edges, self.network.angle_cutoff)
        owner = crystals.crystal_index[graph.receiver]
        frac = crystals.frac_coords[graph.receiver] - crystals.frac_coords[graph.sender] - graph.image
        vectors = torch.einsum("bi,bij->bj", frac, crystals.lattice[owner])
        faults = self._limits.faults(crystals, edges, vectors.norm(dim=-1), owner)
        return _Bonds(vectors, graph, tuple(symmetries), faults)

    def _energies(self, crystals: Crystals, bonds: _Bonds) -> list[torch.Tensor]:
        """Return the energy of each crystal, eV."""
        owner, n = crystals.crystal_index, crystals.n_crystals
        energy = self.network.energy(bonds.vectors.float(), bonds.graph, crystals.atomic_numbers, owner, n)
        return list(energy.split(1))

    def _evaluate(self, crystals: Crystals, bonds: _Bonds) -> list[tuple[torch.Tensor, ...]]:
        """Return energy (eV), forces (eV/Å), stress (eV/Å³) and magnetic moments (μ_B) of each crystal."""
        owner, n, graph, vectors = crystals.crystal_index, crystals.n_crystals, bonds.graph, bonds.vectors
        made = self.network(vectors.float(), graph, crystals.atomic_numbers, owner, n)
        pull = made.by_bond.double()
        forces = torch.zeros_like(crystals.frac_coords)
        forces = forces.index_add(0, graph.receiver, -pull).index_add(0, graph.sender, pull)
        virial = torch.zeros_like(crystals.lattice)
        virial = virial.index_add(0, owner[graph.receiver], vectors[:, :, None] * pull[:, None, :])
        stress = virial / volume(crystals.lattice)[:, None, None]
        counts = crystals.n_atoms.tolist()
        each_force, each_stress = forces.split(counts), stress.split(1)
        if bonds.symmetries:  # what the bonds of the asymmetric unit alone exert has the right average only
            each_force = tuple(s.vectors(f) for s, f in zip(bonds.symmetries, each_force, strict=True))
            each_stress = tuple(s.tensor(t[0])[None] for s, t in zip(bonds.symmetries, each_stress, strict=True))
        columns = (made.energy.split(1), each_force, each_stress, made.magnetic_moments.split(counts))
        return list(zip(*columns, strict=True))


class _Bonds(NamedTuple):
    """The bonds of a batch.

    Attributes:
        vectors: Bond vectors from sender to receiver, of shape (rows, 3), in Å.
        graph: Which atoms the bonds join, and the angles between them.
        symmetries: Symmetries of the crystals, if the bonds are those of the asymmetric units.
        faults: Place of a crystal in the batch to the reason why its bonds mean nothing.
    """

    vectors: torch.Tensor
    graph: BondGraph
    symmetries: tuple[SymmetryConstraint, ...]
    faults: dict[int, str]


def _fits(symmetry: SymmetryConstraint, crystal: Crystals) -> bool:
    """Return whether a crystal has an asymmetric unit to stand for it, and keeps its symmetry well enough."""
    return symmetry.share < 1 and symmetry.deviation(crystal.frac_coords, crystal.lattice[0]) < _EXACT
