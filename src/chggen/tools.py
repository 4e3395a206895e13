"""What a worker needs to make candidates: score model, potential and recipe, loaded once in its process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import torch

from chggen.config import InputError
from chggen.crystals import Crystals, ScoreModel, to_structures
from chggen.options import RelaxOptions, SamplerOptions
from chggen.potential import POTENTIALS, Potential, energies_of, load_potential
from chggen.relaxation import Relaxed, relax
from chggen.sampling.choice import DenoisingError, Judge
from chggen.sampling.recipes import QUALITIES, Recipe, recipe
from chggen.sampling.shape import ShapeSampler
from chggen.score.checkpoint import load_score_model
from chggen.screening import CLOSEST, closest_contact

if TYPE_CHECKING:
    from pymatgen.core import Structure

KEPT: Final = 0.01  # Å; symprec of the group that a symmetric candidate keeps while it relaxes
# On orbits, in runs that relax: tries whose energy is looked at, and levels of each.
_ON_ORBITS: Final = {"fast": (8, 6), "best": (16, 10)}
_IN_SYMMETRY: Final = {"fast": (24, 6), "best": (64, 8)}  # the same where symmetry is kept and cells are drawn
_FINALISTS: Final = {"fast": (4, 80), "best": (12, 240)}  # of these: at least so many, and as many as have these atoms
_RUNGS: Final = (5, 5, 10, 10)  # steps that the finalists relax, half of them after each
_MOMENTUM: Final = 0.5  # of what an energy fell in the last steps is what it is expected to fall yet


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What a worker needs: loaded once in its process."""

    sampler: SamplerOptions
    relax: RelaxOptions | None
    device: str = "cpu"
    trajectories: Path | None = None  # folder, where those of the relaxations are asked for
    loaded: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def check(self) -> None:
        """Raise InputError for a score model that cannot be loaded, and a judge without what it needs."""
        self.score()
        if self.sampler.judge == "energy" and self.relax is None:
            raise InputError("judge energy needs a potential, which an unrelaxed run has none of; use judge score")

    def score(self) -> ScoreModel:
        if "score" not in self.loaded:
            path = self.sampler.model
            self.loaded["score"] = load_score_model(path, self.device)
        return cast(ScoreModel, self.loaded["score"])

    def shapes(self) -> ShapeSampler | None:
        """What draws cells for seeds joint; None where the score model has no strain score."""
        score = self.score()
        return ShapeSampler(score, self.device) if getattr(score, "strain", None) is not None else None

    def potential(self) -> Potential:
        assert self.relax is not None
        if "potential" not in self.loaded:
            self.loaded["potential"] = load_potential(self.relax.potential, self.device)
        return cast(Potential, self.loaded["potential"])

    @property
    def by_energy(self) -> bool:
        """Whether samples are chosen by their energy."""
        return self.relax is not None and self.sampler.judge in ("auto", "energy")

    def recipe(self, de_novo: bool, on_orbits: bool, symmetric: bool, softness: float | None = None) -> Recipe:
        """The recipe of a kind of job (starts.Start); those on orbits choose among more tries of fewer levels.

        Orbits have fewer coordinates to settle, and it matters more which orbits they are: among many the energy finds
        the low ones, most of all after a few steps of relaxation, the network's own error hardly does. softness: of
        sites that are known, Å; there is nothing to choose then.
        """
        s = self.sampler
        best_of, levels, final = s.best_of, s.levels, None
        if softness is not None:
            best_of = 1
        elif on_orbits and best_of is None:
            best_of = 2 * QUALITIES[s.quality][1]
            if self.by_energy and levels is None:
                best_of, levels = (_IN_SYMMETRY if symmetric else _ON_ORBITS)[s.quality]
                if symmetric:
                    final = LowestAfterSteps(self.potential(), cast(RelaxOptions, self.relax), *_FINALISTS[s.quality])
        judge: Judge = LowestEnergy(self.potential()) if self.by_energy else DenoisingError()
        made = recipe(
            "de-novo" if de_novo else s.anchor,
            quality=s.quality,
            levels=levels,
            n_resample=None if de_novo else s.n_resample,
            jump_length=None if de_novo else s.jump_length,
            best_of=best_of,
            judge=judge,
            top=softness,
        )
        return made if final is None else replace(made, choice=replace(made.choice, final=final))


@dataclass(frozen=True)
class LowestEnergy:
    """Judge of a choice among tries: their energy as sampled, without any relaxation; overlapping atoms are last."""

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


def check_potential(options: RelaxOptions) -> None:
    """Raise InputError for a potential that is not known or cannot be made."""
    if options.potential not in POTENTIALS:
        load_potential(options.potential)
