"""Recipes: a schedule, a walk, a predictor, a corrector and an anchor that work together, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from chggen.config import InputError
from chggen.crystals import Crystals, ScoreModel
from chggen.diffusion.schedule import Schedule
from chggen.sampling.anchor import Anchor, Clamp, Renoise
from chggen.sampling.noise_source import generators_from
from chggen.sampling.sampler import sample
from chggen.sampling.steps import NO_CORRECTOR, Ancestral, Langevin, Predictor, Refresh
from chggen.sampling.walk import Walk

EVALUATIONS: Final = {"fast": 50, "best": 160}  # of the score network a sample, by quality


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to sample.

    Evaluations of the score network: walk steps down × (those of the predictor, 1 or Heun's 2, + corrector steps),
    less at the clean level, which has nothing to correct and no slope.
    """

    schedule: Schedule
    walk: Walk = Walk()
    predictor: Predictor = Ancestral()
    corrector: Langevin = NO_CORRECTOR
    anchor: Anchor = Clamp()

    def run(
        self,
        score: ScoreModel,
        crystals: Crystals,
        seeds: Sequence[int],
        on_move: Callable[[int, int], None] = lambda done, total: None,
    ) -> Crystals:
        """Sample the guests of a batch; one seed for each crystal."""
        return sample(
            score,
            crystals,
            self.schedule,
            predictor=self.predictor,
            corrector=self.corrector,
            anchor=self.anchor,
            walk=self.walk,
            generators=generators_from(seeds),
            on_move=on_move,
        )


def recipe(
    name: str,
    *,
    quality: str = "best",
    levels: int | None = None,
    n_resample: int | None = None,
    jump_length: int | None = None,
    uncertainty: float = 0.0,
) -> Recipe:
    """The recipe of a name, with levels and resampling changed where given.

    `de-novo`: every atom moves. `clamp`: clean host. `renoise`: the host noised afresh at every level, each level
    walked several times, as the paper does; these three refresh the noise at each step and take 50 (quality `fast`)
    or 160 (`best`) evaluations. `paper`: its published settings, 3,474 evaluations (200 levels, ancestral predictor,
    5 corrector steps, jumps of 10 levels walked 3 times). uncertainty: error of a clamped host that the network is
    told, Å. Raises InputError for an unknown name or quality.
    """
    if quality not in EVALUATIONS:
        raise InputError(f"unknown quality '{quality}'; expected fast or best")
    if name == "paper":
        return Recipe(
            schedule=Schedule(n_levels=levels or 200, smallest=0.005),
            walk=Walk(n_resample=n_resample or 3, jump_length=jump_length or 10),
            corrector=Langevin(n_steps=5),
            anchor=Renoise(),
        )
    anchors: dict[str, Anchor] = {"de-novo": Clamp(), "clamp": Clamp(uncertainty), "renoise": Renoise()}
    if name not in anchors:
        raise InputError(f"unknown sampler '{name}'; expected de-novo, clamp, renoise or paper")
    walked = n_resample or (5 if name == "renoise" else 1)
    return Recipe(
        schedule=Schedule(n_levels=levels or EVALUATIONS[quality] // walked),
        walk=Walk(n_resample=walked, jump_length=jump_length or 1),
        predictor=Refresh(),
        anchor=anchors[name],
    )
