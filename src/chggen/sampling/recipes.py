"""Recipes: a schedule, a walk, a corrector and an anchor that work together, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chggen.config import InputError
from chggen.crystals import Crystals, ScoreModel
from chggen.diffusion.schedule import Schedule
from chggen.sampling.anchor import Anchor, Clamp, Renoise
from chggen.sampling.noise_source import generators_from
from chggen.sampling.sampler import sample
from chggen.sampling.steps import NO_CORRECTOR, Langevin
from chggen.sampling.walk import Walk


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to sample.

    Evaluations of the score network: walk steps down × (1 + corrector steps), less the corrector steps at the clean
    level, which has nothing to correct.
    """

    schedule: Schedule
    walk: Walk = Walk()
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
            corrector=self.corrector,
            anchor=self.anchor,
            walk=self.walk,
            generators=generators_from(seeds),
            on_move=on_move,
        )


def recipe(
    name: str,
    *,
    levels: int | None = None,
    n_resample: int | None = None,
    jump_length: int | None = None,
    uncertainty: float = 0.0,
) -> Recipe:
    """The recipe of a name, with levels and resampling changed where given.

    `de-novo`: every atom moves, predictor and corrector. `clamp`: clean host, few levels, each walked several times.
    `renoise`: the paper's host noised afresh. `paper`: its published settings (200 levels, 5 corrector steps, jumps
    of 10 levels walked 3 times). uncertainty: error of a clamped host that the network is told, Å. Raises InputError
    for an unknown name.
    """
    if name == "de-novo":
        return Recipe(
            schedule=Schedule(n_levels=levels or 80),
            walk=Walk(n_resample=n_resample or 1, jump_length=jump_length or 1),
            corrector=Langevin(n_steps=1),
        )
    if name == "clamp":
        return Recipe(
            schedule=Schedule(n_levels=levels or 20),
            walk=Walk(n_resample=n_resample or 8, jump_length=jump_length or 1),
            anchor=Clamp(uncertainty),
        )
    if name == "renoise":
        return Recipe(
            schedule=Schedule(n_levels=levels or 60),
            walk=Walk(n_resample=n_resample or 5, jump_length=jump_length or 1),
            anchor=Renoise(),
        )
    if name == "paper":
        return Recipe(
            schedule=Schedule(n_levels=levels or 200, smallest=0.005),
            walk=Walk(n_resample=n_resample or 3, jump_length=jump_length or 10),
            corrector=Langevin(n_steps=5),
            anchor=Renoise(),
        )
    raise InputError(f"unknown sampler '{name}'; expected de-novo, clamp, renoise or paper")
