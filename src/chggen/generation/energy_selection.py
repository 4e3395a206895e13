"""Selection among samples by the energy of a potential, as sampled or after a few steps of relaxation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from chggen.crystals import Crystals, to_structures
from chggen.diffusion import ScoreModel
from chggen.generation.contacts import CLOSEST, closest_contact
from chggen.potential import Potential, energies_of
from chggen.relaxation import Relaxed, RelaxOptions, relax
from chggen.symmetry import SymmetryConstraint

if TYPE_CHECKING:
    from pymatgen.core import Structure

KEPT: Final = 0.01  # Å; symprec of the group that a symmetric candidate keeps while it relaxes
_RUNGS: Final = (5, 5, 10, 10)  # relaxation steps in each round, after which the better half goes on
_MOMENTUM: Final = 0.5  # share of the fall in the last round by which an energy is expected to fall further


@dataclass(frozen=True)
class LowestEnergy:
    """Criterion that marks a sample by its unrelaxed energy.

    Attributes:
        potential: The potential.
        evaluations: Evaluations of the score network that one call takes: none.
    """

    potential: Potential
    evaluations: int = 0

    def __call__(self, score: ScoreModel, crystals: Crystals, generators: Sequence[torch.Generator]) -> torch.Tensor:
        """Mark one sample of each crystal.

        Args:
            score: Not used.
            crystals: The samples.
            generators: Not used.

        Returns:
            Total energies, of shape (crystals,), in eV. Infinity for a sample whose atoms overlap.
        """
        structures = to_structures(crystals)
        contacts = [closest_contact(structure)[0] for structure in structures]
        symmetries = [SymmetryConstraint.sparing(structure, KEPT) for structure in structures]
        energy = energies_of(self.potential, crystals, symmetries).energy
        return torch.where(torch.tensor(contacts, device=energy.device) < CLOSEST, torch.inf, energy)


@dataclass(frozen=True)
class LowestAfterSteps:
    """Final selection among symmetric samples by their energy after a few steps of relaxation.

    Unrelaxed energies say little about which sample relaxes to the lowest energy (rank correlation 0.1 to 0.6), because
    the cells are drawn at random. Energies after a few steps favour samples of high symmetry, which have little left to
    gain. The samples therefore compete in rounds. All finalists relax for a few steps, the better half for some more,
    and so on. Samples are compared by the energy that they are expected to reach. Symmetry is kept meanwhile.

    Source: successive halving, Jamieson & Talwalkar, AISTATS 2016.

    Attributes:
        potential: The potential.
        options: Options of the relaxation. Cell, pressure and fmax are taken from them.
        least: Least number of finalists of a crystal.
        atoms: Number of atoms that the finalists of a crystal have together, if that gives more of them than `least`.
            Small cells thus have more finalists, as their steps cost little.
    """

    potential: Potential
    options: RelaxOptions
    least: int
    atoms: int

    def __call__(self, samples: Sequence[Crystals], refused: torch.Tensor) -> torch.Tensor:
        """Choose one sample of each crystal.

        Args:
            samples: Batches of the same crystals. Of each crystal, the first batch holds its best sample.
            refused: True for samples that are not to be chosen, of shape (samples, crystals).

        Returns:
            The number of the chosen sample of each crystal, of shape (crystals,); 0 where all are refused.
        """
        sizes = samples[0].n_atoms.tolist()
        finalists = [max(self.least, self.atoms // size) for size in sizes]
        made = [to_structures(crystals) for crystals in samples[: max(finalists)]]
        left = [[f for f in range(len(made)) if not refused[f, k]][:most] for k, most in enumerate(finalists)]
        present = {(k, f): made[f][k] for k, own in enumerate(left) for f in own}
        symmetries = {pair: SymmetryConstraint.of(structure, KEPT) for pair, structure in present.items()}
        for steps in _RUNGS:
            running = [(k, f) for k, own in enumerate(left) if len(own) > 1 for f in own]
            kept = [symmetries[pair] for pair in running]
            ends = self._relaxed([present[pair] for pair in running], kept, steps, str(samples[0].lattice.device))
            relaxed = dict(zip(running, ends, strict=True))
            present |= {pair: end.structure for pair, end in relaxed.items()}
            for k, own in enumerate(left):
                if len(own) > 1:
                    expected = {f: _expected_energy(relaxed[k, f]) for f in own}
                    left[k] = sorted(own, key=expected.__getitem__)[: (len(own) + 1) // 2]
        return torch.tensor([own[0] if own else 0 for own in left], device=refused.device)

    def _relaxed(
        self, structures: Sequence[Structure], symmetries: Sequence[SymmetryConstraint | None], steps: int, device: str
    ) -> list[Relaxed]:
        """Relax structures for a few steps, keeping their symmetry."""
        return relax(
            structures,
            potential=self.potential,
            fix_cell=self.options.fix_cell,
            fix_symmetry=symmetries,
            pressure=self.options.pressure,
            fmax=self.options.fmax,
            max_steps=steps,
            optimizer="lbfgs",
            device=device,
        )


def _expected_energy(end: Relaxed) -> float:
    """Return the energy in eV/atom that a relaxation is expected to reach, infinite where it has none.

    It is the present energy if the relaxation has converged. Otherwise the last round's fall is continued.
    """
    if end.converged or end.energy_per_atom is None or end.initial_energy_per_atom is None:
        return end.energy_or_inf
    return end.energy_per_atom - _MOMENTUM * (end.initial_energy_per_atom - end.energy_per_atom)
