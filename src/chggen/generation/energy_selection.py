"""Choosing among tries by the energy of a potential, as sampled or after a few steps of relaxation."""

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

if TYPE_CHECKING:
    from pymatgen.core import Structure

KEPT: Final = 0.01  # Å; symprec of the group that a symmetric candidate keeps while it relaxes
_RUNGS: Final = (5, 5, 10, 10)  # steps that the finalists relax, half of them after each
_MOMENTUM: Final = 0.5  # of what an energy fell in the last steps is what it is expected to fall yet


@dataclass(frozen=True)
class LowestEnergy:
    """Criterion of a choice among tries: their energy as sampled, unrelaxed; overlapping atoms are last."""

    potential: Potential
    evaluations: int = 0

    def __call__(self, score: ScoreModel, crystals: Crystals, generators: Sequence[torch.Generator]) -> torch.Tensor:
        contacts = [closest_contact(structure)[0] for structure in to_structures(crystals)]
        energy = energies_of(self.potential, crystals).energy
        return torch.where(torch.tensor(contacts, device=energy.device) < CLOSEST, torch.inf, energy)


@dataclass(frozen=True)
class LowestAfterSteps:
    """Chooses among symmetric tries by energy, after steps of relaxation that keep their symmetry.

    Raw energies hardly tell which try relaxes lowest (rank correlation 0.1 to 0.6), since cells are drawn, and those of
    the first steps favour high symmetry, which has little left to fall. So the lowest race: all take a few steps, the
    better half some more, and so on (successive halving, Jamieson & Talwalkar, AISTATS 2016), by where their energies
    are heading. In small cells, where steps cost little, more of them do: `atoms` in all, `least` tries at least.
    """

    potential: Potential
    options: RelaxOptions
    least: int
    atoms: int

    def __call__(self, samples: Sequence[Crystals], refused: torch.Tensor) -> torch.Tensor:
        sizes = samples[0].n_atoms.tolist()
        finalists = [max(self.least, self.atoms // size) for size in sizes]
        made = [to_structures(crystals) for crystals in samples[: max(finalists)]]
        left = [[f for f in range(len(made)) if not refused[f, k]][:most] for k, most in enumerate(finalists)]
        now = {(k, f): made[f][k] for k, own in enumerate(left) for f in own}
        for steps in _RUNGS:
            running = [(k, f) for k, own in enumerate(left) if len(own) > 1 for f in own]
            ends = self._relaxed([now[job] for job in running], steps, str(samples[0].lattice.device))
            done = dict(zip(running, ends, strict=True))
            now |= {job: end.structure for job, end in done.items()}
            for k, own in enumerate(left):
                if len(own) > 1:
                    heading = {f: _heading(done[k, f]) for f in own}
                    left[k] = sorted(own, key=heading.__getitem__)[: (len(own) + 1) // 2]
        return torch.tensor([own[0] if own else 0 for own in left], device=refused.device)

    def _relaxed(self, structures: Sequence[Structure], steps: int, device: str) -> list[Relaxed]:
        return relax(
            structures,
            potential=self.potential,
            fix_cell=self.options.fix_cell,
            fix_symmetry=KEPT,
            pressure=self.options.pressure,
            fmax=self.options.fmax,
            max_steps=steps,
            optimizer="lbfgs",
            device=device,
        )


def _heading(end: Relaxed) -> float:
    """What an energy is heading for, eV/atom: itself where it has converged, inf where there is none."""
    if end.converged or end.energy_per_atom is None or end.initial_energy_per_atom is None:
        return end.energy_or_inf
    return end.energy_per_atom - _MOMENTUM * (end.initial_energy_per_atom - end.energy_per_atom)
