"""CHGNet as a Potential, batched in and out."""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import torch

from chggen.crystals import Crystals, collate, edges_within, inverse_spacings, volume
from chggen.execution import free_memory
from chggen.potential.chgnet_network import BondGraph, ChgnetNetwork, bond_graph
from chggen.potential.protocol import Energies, EnergyForcesStress, Potential

_OVERLAP: Final = 0.3  # Å; closer than any two nuclei, where the network's answer means nothing
_FLATTEST: Final = 0.3  # Å between lattice planes; below it the images within the cutoff grow without bound
_SMALLEST: Final = 1.0  # Å³/atom; no crystal is denser
_HEAVIEST: Final = 94  # Pu, the last element CHGNet embeds
_BYTES_OF_EDGE: Final = 50_000  # measured: 17 to 45 kB, most where many atoms are within the angle cutoff
_EDGES_AT_ONCE: Final = {"cpu": 8_000, "cuda": 400_000}  # more is no faster on a CPU
_Found = TypeVar("_Found")


class ChgnetPotential(Potential):
    """A CHGNet model on a device. Its answers are those of chgnet itself; crystals go through in bounded batches."""

    def __init__(self, model: Any, *, name: str, level: str, device: str = "cpu") -> None:
        self.network = ChgnetNetwork(model.eval().requires_grad_(False))
        self.name = name
        self.level = level
        self.device = device

    @classmethod
    def load(cls, weights: str, *, name: str, level: str, device: str = "cpu") -> ChgnetPotential:
        """Weights from chgnet's wheel: `0.3.0` or `r2scan`."""
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            from chgnet.model.model import CHGNet

            model = CHGNet.load(model_name=weights, use_device=device, verbose=False)
        return cls(model, name=name, level=level, device=device)

    def __call__(self, crystals: Crystals) -> EnergyForcesStress:
        each, failures = self._each(crystals, self._evaluate)
        sizes = crystals.n_atoms.tolist()
        found = [_nothing(n, self.device) if one is None else one for n, one in zip(sizes, each, strict=True)]
        energy, forces, stress, moments = (
            torch.cat(column).to(crystals.frac_coords) for column in zip(*found, strict=True)
        )
        return EnergyForcesStress(
            energy=energy, forces=forces, stress=stress, magnetic_moments=moments, failures=failures
        )

    def energies(self, crystals: Crystals) -> Energies:
        """Energies alone, those of `__call__` to the bit."""
        found, failures = self._each(crystals, self._energies)
        nan = torch.full((1,), torch.nan, dtype=torch.float64, device=self.device)
        energy = torch.cat([nan if one is None else one for one in found])
        return Energies(energy=energy.to(crystals.frac_coords), failures=failures)

    def _each(
        self, crystals: Crystals, evaluate: Callable[[Crystals, _Bonds], list[_Found]]
    ) -> tuple[list[_Found | None], dict[int, str]]:
        """What `evaluate` finds of each crystal, in bounded batches; None for those that have a reason of failure."""
        parts = crystals.to(self.device, torch.float64).split()
        found: list[_Found | None] = [None] * len(parts)
        failures = {k: reason for k, part in enumerate(parts) if (reason := self._unfit(part)) is not None}
        for numbers in self._in_batches([k for k in range(len(parts)) if k not in failures], parts):
            whole = collate([parts[k] for k in numbers])
            bonds = self._bonds(whole)
            if bonds.faults:  # the others without those at fault
                failures |= {numbers[k]: reason for k, reason in bonds.faults.items()}
                numbers = [k for k in numbers if k not in failures]
                if not numbers:
                    continue
                whole = collate([parts[k] for k in numbers])
                bonds = self._bonds(whole)
            for k, one in zip(numbers, evaluate(whole, bonds), strict=True):
                found[k] = one
        return found, failures

    def _bonds(self, crystals: Crystals) -> _Bonds:
        edges = edges_within(crystals, self.network.atom_cutoff)
        graph = bond_graph(crystals, edges, self.network.angle_cutoff)
        owner = crystals.crystal_index
        frac = crystals.frac_coords[graph.receiver] - crystals.frac_coords[graph.sender] - graph.image
        vectors = torch.einsum("bi,bij->bj", frac, crystals.lattice[owner[graph.receiver]])
        alone = owner[torch.bincount(edges.receiver, minlength=len(owner)) == 0]
        overlapping = owner[graph.receiver[vectors.norm(dim=-1) < _OVERLAP]]
        faults = dict.fromkeys(overlapping.tolist(), f"two atoms are closer than {_OVERLAP} Å")
        faults |= dict.fromkeys(alone.tolist(), f"an atom has no neighbour within {self.network.atom_cutoff:g} Å")
        return _Bonds(vectors, graph, faults)

    def _energies(self, crystals: Crystals, bonds: _Bonds) -> list[torch.Tensor]:
        """Energy of each crystal, eV."""
        owner, n = crystals.crystal_index, crystals.n_crystals
        energy = self.network.energy(bonds.vectors.float(), bonds.graph, crystals.atomic_numbers, owner, n)
        return list(energy.split(1))

    def _evaluate(self, crystals: Crystals, bonds: _Bonds) -> list[tuple[torch.Tensor, ...]]:
        """Energy (eV), forces (eV/Å), stress (eV/Å³) and moments (μ_B) of each crystal."""
        owner, n, graph, vectors = crystals.crystal_index, crystals.n_crystals, bonds.graph, bonds.vectors
        made = self.network(vectors.float(), graph, crystals.atomic_numbers, owner, n)
        pull = made.by_bond.double()
        forces = torch.zeros_like(crystals.frac_coords)
        forces = forces.index_add(0, graph.receiver, -pull).index_add(0, graph.sender, pull)
        virial = torch.zeros_like(crystals.lattice)
        virial = virial.index_add(0, owner[graph.receiver], vectors[:, :, None] * pull[:, None, :])
        stress = virial / volume(crystals.lattice)[:, None, None]
        counts = crystals.n_atoms.tolist()
        columns = (made.energy.split(1), forces.split(counts), stress.split(1), made.magnetic_moments.split(counts))
        return list(zip(*columns, strict=True))

    def _in_batches(self, chosen: Sequence[int], parts: Sequence[Crystals]) -> Iterator[list[int]]:
        """The chosen crystals in order, cut where their edges are too many or would fill the memory."""
        free = free_memory(self.device)
        limit: float = _EDGES_AT_ONCE[torch.device(self.device).type]
        limit = limit if free is None else min(limit, free / _BYTES_OF_EDGE)
        found: list[int] = []
        edges = 0.0
        for k in chosen:
            more = self._edges(parts[k])
            if found and edges + more > limit:
                yield found
                found, edges = [], 0.0
            found.append(k)
            edges += more
        if found:
            yield found

    def _edges(self, crystal: Crystals) -> float:
        """How many edges a crystal has, by its density."""
        ball = 4 / 3 * math.pi * self.network.atom_cutoff**3
        return len(crystal.frac_coords) ** 2 * ball / float(volume(crystal.lattice))

    def _unfit(self, crystal: Crystals) -> str | None:
        """Why a neighbour search is not possible, or an element unknown to CHGNet; None: all is well."""
        lattice, numbers = crystal.lattice, crystal.atomic_numbers
        if len(numbers) == 0:
            return "there are no atoms"
        if not (crystal.frac_coords.isfinite().all() and lattice.isfinite().all()):
            return "coordinates or lattice are not finite"
        if float(volume(lattice)) < _SMALLEST * len(numbers):
            return f"the cell has less than {_SMALLEST} Å³/atom"
        if bool((inverse_spacings(lattice) > 1 / _FLATTEST).any()):
            return f"lattice planes are closer than {_FLATTEST} Å"
        if int(numbers.min()) < 1 or int(numbers.max()) > _HEAVIEST:
            return f"CHGNet knows elements up to Z = {_HEAVIEST} only"
        needed = _BYTES_OF_EDGE * self._edges(crystal)
        free = free_memory(self.device) if needed > _BYTES_OF_EDGE * _EDGES_AT_ONCE["cpu"] else None
        if free is not None and needed > free:
            return f"it needs about {needed / 2**30:.1f} GiB of memory, {free / 2**30:.1f} GiB are free"
        return None


class _Bonds(NamedTuple):
    """The bonds of a batch: vectors from sender to receiver, Å; faults: why a crystal has no energy, by its place."""

    vectors: torch.Tensor
    graph: BondGraph
    faults: dict[int, str]


def _nothing(n_atoms: int, device: str) -> tuple[torch.Tensor, ...]:
    """Energy, forces, stress and magnetic moments of a crystal that has none."""
    none = torch.full((n_atoms, 3), torch.nan, dtype=torch.float64, device=device)
    return none.new_full((1,), torch.nan), none, none.new_full((1, 3, 3), torch.nan), none[:, 0]
