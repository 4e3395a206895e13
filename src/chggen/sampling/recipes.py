"""Recipes: a schedule, a walk, a predictor, a corrector and an anchor that work together, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from chggen.crystals import Crystals
from chggen.diffusion import Schedule, ScoreModel
from chggen.errors import InputError
from chggen.sampling.anchor import Anchor, Clamp, Renoise
from chggen.sampling.corrector import NO_CORRECTOR, Langevin
from chggen.sampling.orbit_noise import NO_SYMMETRY, Symmetry
from chggen.sampling.predictors import Ancestral, Predictor, Refresh
from chggen.sampling.random_numbers import generators_from
from chggen.sampling.resampling import Walk
from chggen.sampling.sampler import sample
from chggen.sampling.selection import ONE, BestOf, Criterion

QUALITIES: Final = {"fast": (50, 2), "best": (160, 4)}  # evaluations of the score network a sample, at most; tries
_TOP: Final = 3.0  # Å; guests start uniform, and from farther out the network tells them nothing of their sites
_KNEE: Final = 0.3  # Å; above it sites are chosen
_COARSE: Final = 0.7  # share of the levels above the knee


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to sample.

    Evaluations of the score network for each try: walk steps down × (those of the predictor, 1 or Heun's 2, +
    corrector steps), less at the clean level, which has nothing to correct and no slope; then the choice's own.
    """

    schedule: Schedule
    walk: Walk = Walk()
    predictor: Predictor = Ancestral()
    corrector: Langevin = NO_CORRECTOR
    anchor: Anchor = Clamp()
    choice: BestOf = ONE
    perturb: bool = False

    def run(
        self,
        score: ScoreModel,
        crystals: Crystals | Callable[[Sequence[int]], tuple[Crystals, Symmetry]],
        seeds: Sequence[int],
        on_move: Callable[[int, int], None] = lambda done, total: None,
    ) -> Crystals:
        """Sample the guests of a batch; one seed for each crystal.

        crystals: the same for every try, guests anywhere; or what gives, for the seeds of a try, its crystals (of the
        same atoms each time) and their symmetry.
        """

        def once(seeds: Sequence[int], k: int) -> Crystals:
            begin, symmetry = (crystals, NO_SYMMETRY) if isinstance(crystals, Crystals) else crystals(seeds)
            return sample(
                score,
                begin,
                self.schedule,
                predictor=self.predictor,
                corrector=self.corrector,
                anchor=self.anchor,
                walk=self.walk,
                symmetry=symmetry,
                perturb=self.perturb,
                generators=generators_from(seeds),
                on_move=lambda done, total: on_move(k * total + done, self.choice.n * total),
            )

        return self.choice.run(once, score, seeds)


def recipe(
    name: str,
    *,
    quality: str = "best",
    levels: int | None = None,
    n_resample: int | None = None,
    jump_length: int | None = None,
    best_of: int | None = None,
    judge: Criterion = ONE.judge,
    uncertainty: float = 0.0,
    top: float | None = None,
) -> Recipe:
    """The recipe of a name; levels (of one try), n_resample, jump_length and best_of changed where given.

    `de-novo`: every atom moves. `clamp`: clean host. Both refresh the noise at each step, and keep the best of 2 tries
    (quality `fast`) or 4 (`best`) by the judge. `renoise`: the host noised afresh at every level, each level walked 5
    times, as the paper does; one try. All take 50 (`fast`) or 160 evaluations (`best`), unless changed. `paper`: its
    published settings, 3,474 evaluations (200 levels, ancestral predictor, 5 corrector steps, jumps of 10 levels
    walked 3 times). uncertainty: error of a clamped host that the network is told, Å. top: guests whose sites are
    roughly known start from there, perturbed by so much (Å), and settle in a tenth of the evaluations by one try.
    Raises InputError for an unknown name or quality.
    """
    if quality not in QUALITIES:
        raise InputError(f"unknown quality '{quality}'; expected fast or best")
    if name == "paper":
        return Recipe(
            schedule=Schedule(n_levels=levels or 200, smallest=0.005),
            walk=Walk(n_resample=n_resample or 3, jump_length=jump_length or 10),
            corrector=Langevin(n_steps=5),
            anchor=Renoise(),
            choice=BestOf(n=best_of or 1, judge=judge),
        )
    anchors: dict[str, Anchor] = {"de-novo": Clamp(), "clamp": Clamp(uncertainty), "renoise": Renoise()}
    if name not in anchors:
        raise InputError(f"unknown sampler '{name}'; expected de-novo, clamp, renoise or paper")
    evaluations, tries = QUALITIES[quality]
    walked = n_resample or (5 if name == "renoise" else 1)
    if top is not None:
        return Recipe(
            schedule=Schedule(n_levels=levels or evaluations // 10, largest=top),
            predictor=Refresh(),
            anchor=anchors[name],
            choice=BestOf(n=best_of or 1, judge=judge),
            perturb=True,
        )
    choice = BestOf(n=best_of or (1 if name == "renoise" else tries), judge=judge)
    afforded = max(2, (evaluations // choice.n - choice.evaluations) // walked)
    return Recipe(
        schedule=Schedule(n_levels=levels or afforded, largest=_TOP, knee=_KNEE, share=_COARSE),
        walk=Walk(n_resample=walked, jump_length=jump_length or 1),
        predictor=Refresh(),
        anchor=anchors[name],
        choice=choice,
    )
