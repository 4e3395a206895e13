"""What a worker needs to make candidates: score model, potential and recipe, loaded once in its process."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, cast

from chggen.diffusion import ScoreModel
from chggen.errors import InputError
from chggen.generation import LowestAfterSteps, LowestEnergy, SamplerOptions
from chggen.potential import POTENTIALS, Potential, load_potential
from chggen.relaxation import RelaxOptions
from chggen.sampling import QUALITIES, Criterion, DenoisingError, Recipe, ShapeSampler, recipe
from chggen.score import load_score_model

# On orbits, in runs that relax: tries whose energy is looked at, and levels of each.
_ON_ORBITS: Final = {"fast": (8, 6), "best": (16, 10)}
_IN_SYMMETRY: Final = {"fast": (24, 6), "best": (64, 8)}  # the same where symmetry is kept and cells are drawn
_FINALISTS: Final = {"fast": (4, 80), "best": (12, 240)}  # of these: at least so many, and as many as have these atoms


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a worker needs: loaded once in its process."""

    sampler: SamplerOptions
    relax: RelaxOptions | None
    device: str = "cpu"
    trajectories: Path | None = None  # folder, where those of the relaxations are asked for
    loaded: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def unloaded(self) -> Resources:
        """The same before anything is loaded."""
        return replace(self, loaded={})

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

    def recipe(self, de_novo: bool, on_orbits: bool, symmetric: bool, start_sigma: float | None = None) -> Recipe:
        """The recipe of a kind of job (starts.Start); those on orbits choose among more tries of fewer levels.

        Orbits have fewer coordinates to settle, and it matters more which orbits they are: among many the energy finds
        the low ones, most of all after a few steps of relaxation, the network's own error hardly does. start_sigma: of
        sites that are known, Å; there is nothing to choose then.
        """
        s = self.sampler
        best_of, levels, final = s.best_of, s.levels, None
        if start_sigma is not None:
            best_of = 1
        elif on_orbits and best_of is None:
            best_of = 2 * QUALITIES[s.quality][1]
            if self.by_energy and levels is None:
                best_of, levels = (_IN_SYMMETRY if symmetric else _ON_ORBITS)[s.quality]
                if symmetric:
                    final = LowestAfterSteps(self.potential(), cast(RelaxOptions, self.relax), *_FINALISTS[s.quality])
        judge: Criterion = LowestEnergy(self.potential()) if self.by_energy else DenoisingError()
        made = recipe(
            "de-novo" if de_novo else s.anchor,
            quality=s.quality,
            levels=levels,
            n_resample=None if de_novo else s.n_resample,
            jump_length=None if de_novo else s.jump_length,
            best_of=best_of,
            judge=judge,
            top=start_sigma,
        )
        return made if final is None else replace(made, choice=replace(made.choice, final=final))


def check_potential(options: RelaxOptions) -> None:
    """Raise InputError for a potential that is not known or cannot be made."""
    if options.potential not in POTENTIALS:
        load_potential(options.potential)
