"""Recipes: named settings of the sampler, whose schedule, walk, predictor, corrector and anchor work together."""

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

QUALITIES: Final = {"fast": (50, 2), "best": (160, 4)}  # most evaluations of the network for a sample, and tries
_TOP: Final = 3.0  # Å; guests start uniform, and at higher levels the network tells them nothing of their sites
_KNEE: Final = 0.3  # Å; above this level guests choose their sites
_COARSE: Final = 0.7  # share of the levels above the knee


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Settings of the sampler.

    Each step down of the walk takes the predictor's evaluations of the network, 1 or for `Heun` 2, and one for each
    corrector step. A step to the clean crystal takes 1. Judging a try comes on top; see `BestOf.evaluations`.

    Attributes:
        schedule: The noise levels.
        walk: The order in which the levels are visited.
        predictor: Takes the guests from one level to the next.
        corrector: Steps at each level after the predictor.
        anchor: Holds the host.
        choice: How many tries are made and which one is kept.
        perturb: Start the guests from their input positions plus noise, not from anywhere; see `sample`.
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
        """Sample the guests of a batch.

        Args:
            score: The score network, on the device of the crystals.
            crystals: The crystals, the same for every try and without symmetry. Or a function of a try's seeds that
                returns its crystals, with the same atoms each time, and their symmetry.
            seeds: One for each crystal. A sample depends on its own seed alone, not on the rest of the batch.
            on_move: Called after each step with the number of steps done and of all steps, over all tries.

        Returns:
            The best sample of each crystal.

        Example:
            Two crystals from their species and cells, the positions of all atoms being sampled:

                made = recipe("de-novo", quality="fast").run(load_score_model(), crystals, seeds=[0, 1])
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
    """Return the recipe of a name, with some settings changed.

    The names:

    - `de-novo`: every atom is sampled. The noise is refreshed at each step, and the best of 2 tries (quality `fast`) or
      4 (`best`) is kept.
    - `clamp`: the same for guests in a clean host.
    - `renoise`: the host is noised afresh at every level and each level is walked 5 times, as in the paper; one try.
    - `paper`: the paper's published settings: 200 levels, ancestral predictor, 5 corrector steps, jumps of 10 levels,
      each stretch walked 3 times; 3,474 evaluations of the network.

    All but `paper` take at most 50 evaluations of the network (`fast`) or 160 (`best`), unless settings are changed.

    Args:
        name: Name of the recipe.
        quality: `fast` or `best`. The recipe `paper` has only one quality.
        levels: Noise levels of one try.
        n_resample: How often each stretch of levels is walked.
        jump_length: Levels in a stretch.
        best_of: Number of tries, of which the best is kept.
        judge: Marks the tries.
        uncertainty: Error of a clamped host that the network is told, standard deviation in Å.
        top: Standard deviation in Å of the noise on guests whose sites are roughly known. They start from there, and
            settle in one try with a tenth of the evaluations. None for guests that start anywhere.

    Returns:
        The recipe.

    Raises:
        InputError: If the name or the quality is unknown.
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
