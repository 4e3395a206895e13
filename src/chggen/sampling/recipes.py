"""Recipes: named settings of the sampler, whose schedule, walk, predictor, corrector and anchor work together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Final

from jaxtyping import Float
from torch import Tensor

from chggen.crystals import Crystals, collate
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
from chggen.sampling.settling import Settling
from chggen.sampling.walls import NO_WALLS, Walls

ENTRY_POINTS: Final = "chggen.recipes"
"""Group of entry points by which other packages add recipes; each names a function of `RecipeSettings`."""
DE_NOVO: Final = "de-novo"
QUALITIES: Final = {"fast": (50, 2), "best": (140, 4)}  # most evaluations of the network for a sample, and tries
_TOP: Final = 3.0  # Å; guests start uniform, and at higher levels the network tells them nothing of their sites
_MIXED: Final = 0.5  # of the level at which noise is uniform in the cell; the same holds above that in small cells
_KNEE: Final = 0.3  # Å; above this level guests choose their sites
_ENOUGH: Final = 2  # tries that are believed where they agree
_SETTLE: Final = {"fast": 5, "best": 8}  # levels for guests whose sites are roughly known
_COARSE: Final = 0.8  # share of the levels above the knee


@dataclass(frozen=True, kw_only=True)
class Begin:
    """Where tries begin.

    Attributes:
        crystals: The crystals, one for each try.
        symmetry: Their symmetry.
        walls: What keeps their guests in regions.
        caps: Largest noise level of each atom, Å, shape (atoms,), as `sample` takes it; None for none.
    """

    crystals: Crystals
    symmetry: Symmetry = NO_SYMMETRY
    walls: Walls = NO_WALLS
    caps: Float[Tensor, "atoms"] | None = None


Starts = Callable[[Sequence[int], Sequence[int]], Begin]
"""Returns where tries begin: of the crystals of these numbers, each by its seed."""


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
        settling: When guests count as settled, so that further levels are skipped; None visits all levels.
    """

    schedule: Schedule
    walk: Walk = Walk()
    predictor: Predictor = Ancestral()
    corrector: Langevin = NO_CORRECTOR
    anchor: Anchor = Clamp()
    choice: BestOf = ONE
    perturb: bool = False
    settling: Settling | None = None

    def run(
        self,
        score: ScoreModel,
        crystals: Crystals | Starts,
        seeds: Sequence[int],
        on_move: Callable[[int, int], None] = lambda done, total: None,
    ) -> Crystals:
        """Sample the guests of a batch.

        Args:
            score: The score network, on the device of the crystals.
            crystals: The crystals, the same for every try and without symmetry; or what returns where tries begin.
            seeds: One for each crystal. A sample depends on its own seed alone, not on the rest of the batch.
            on_move: Called after each step with the number of steps done and of all steps. Tries that are made together
                step together; a second round that nothing is left for takes no steps.

        Returns:
            The best sample of each crystal.

        Raises:
            ValueError: The seeds are not as many as the crystals.

        Example:
            Two crystals from their species and cells, the positions of all atoms being sampled:

                made = recipe("de-novo", quality="fast").run(load_score_model(), crystals, seeds=[0, 1])
        """

        alone = crystals.split() if isinstance(crystals, Crystals) else []
        if alone and len(alone) != len(seeds):
            raise ValueError(f"expected one seed for each of {len(alone)} crystals, got {len(seeds)}")
        rounds = 0

        def samples(which: Sequence[int], seeds: Sequence[int]) -> Crystals:
            nonlocal rounds
            if isinstance(crystals, Crystals):
                begin = Begin(crystals=collate([alone[c] for c in which]))
            else:
                begin = crystals(which, seeds)
            before, all_rounds = rounds, max(rounds + 1, self.choice.least_rounds)
            rounds += 1
            return sample(
                score,
                begin.crystals,
                self.schedule,
                predictor=self.predictor,
                corrector=self.corrector,
                anchor=self.anchor,
                walk=self.walk,
                symmetry=begin.symmetry,
                walls=begin.walls,
                caps=begin.caps,
                perturb=self.perturb,
                settling=self.settling,
                generators=generators_from(seeds),
                on_move=lambda done, total: on_move(before * total + done, all_rounds * total),
            )

        return self.choice.run(samples, score, seeds)


@dataclass(frozen=True, kw_only=True)
class RecipeSettings:
    """What a run may change of a recipe. None leaves a setting at the recipe's own value.

    Attributes:
        quality: `fast` or `best`: at most 50 or 140 evaluations of the network, unless settings are changed or `atoms`
            allows more.
        levels: Noise levels of one try.
        n_resample: How often each stretch of levels is walked.
        jump_length: Levels in a stretch.
        best_of: Number of tries, of which the best is kept.
        atoms: Where only one try is the best, how many atoms the tries that are made may have together (`BestOf`).
        judge: Marks the tries.
        uncertainty: Error of a clamped host that the network is told, standard deviation in Å.
        top: Standard deviation in Å of the noise on guests whose sites are roughly known. They start from there, and
            settle in one try with a tenth of the evaluations. None for guests that start anywhere.

    Raises:
        InputError: If the quality is unknown.
    """

    quality: str = "best"
    levels: int | None = None
    n_resample: int | None = None
    jump_length: int | None = None
    best_of: int | None = None
    atoms: int = 0
    judge: Criterion = ONE.judge
    uncertainty: float = 0.0
    top: float | None = None

    def __post_init__(self) -> None:
        if self.quality not in QUALITIES:
            raise InputError(f"unknown quality '{self.quality}'; expected fast or best")


def paper(settings: RecipeSettings) -> Recipe:
    """Return the paper's published settings; there is one quality.

    200 levels, ancestral predictor, 5 corrector steps, the host noised afresh at every level, jumps of 10 levels, each
    stretch walked 3 times: 3,585 evaluations of the network (3,474 in the authors' code, which walks the last levels
    once). An empty host, where each is walked once, takes 1,195.

    Args:
        settings: What is changed of it.

    Returns:
        The recipe.
    """
    return Recipe(
        schedule=Schedule(n_levels=settings.levels or 200, smallest=0.005),
        walk=Walk(n_resample=settings.n_resample or 3, jump_length=settings.jump_length or 10),
        corrector=Langevin(n_steps=5),
        anchor=Renoise(),
        choice=BestOf(n=settings.best_of or 1, judge=settings.judge),
    )


def clamp(settings: RecipeSettings) -> Recipe:
    """Return the recipe for guests in a clean host, or for all atoms of an empty one.

    The noise is refreshed at each step, and the best of 2 tries (quality `fast`) or 4 (`best`) is kept.

    Args:
        settings: What is changed of it.

    Returns:
        The recipe.
    """
    return _refreshing(settings, Clamp(settings.uncertainty), QUALITIES[settings.quality][1], 1)


def renoise(settings: RecipeSettings) -> Recipe:
    """Return the recipe whose host is noised afresh at every level; each level is walked 5 times, in one try.

    Args:
        settings: What is changed of it.

    Returns:
        The recipe.
    """
    return _refreshing(settings, Renoise(), 1, 5)


def _refreshing(settings: RecipeSettings, anchor: Anchor, tries: int, walks: int) -> Recipe:
    """Return a recipe that refreshes the noise at each step and spends the evaluations of its quality."""
    evaluations, _ = QUALITIES[settings.quality]
    if settings.top is not None:
        return Recipe(
            schedule=Schedule(n_levels=settings.levels or _SETTLE[settings.quality], largest=settings.top),
            predictor=Refresh(),
            anchor=anchor,
            choice=BestOf(n=settings.best_of or 1, judge=settings.judge),
            perturb=True,
        )
    walked = settings.n_resample or walks
    choice = BestOf(n=settings.best_of or tries, judge=settings.judge, enough=_ENOUGH, atoms=settings.atoms)
    afforded = max(2, (evaluations // choice.n - choice.evaluations) // walked)
    return Recipe(
        schedule=Schedule(n_levels=settings.levels or afforded, largest=_TOP, knee=_KNEE, share=_COARSE, mixed=_MIXED),
        walk=Walk(n_resample=walked, jump_length=settings.jump_length or 1),
        predictor=Refresh(),
        anchor=anchor,
        choice=choice,
        settling=Settling() if walked == 1 else None,
    )


_BUILT_IN: Final[dict[str, Callable[[RecipeSettings], Recipe]]] = {
    DE_NOVO: lambda settings: clamp(replace(settings, uncertainty=0.0)),
    "clamp": clamp,
    "renoise": renoise,
    "paper": paper,
}


@cache
def known_recipes() -> dict[str, Callable[[RecipeSettings], Recipe]]:
    """Return all recipes by name: the built-in ones, then those of other packages.

    Returns:
        Name to a function of the settings. `de-novo` samples every atom; the others fill a host.

    Raises:
        InputError: When another package takes a name that is taken.
    """
    found = dict(_BUILT_IN)
    for point in entry_points(group=ENTRY_POINTS):
        if point.name in found:
            raise InputError(f"{point.value} registers a recipe named '{point.name}', which is taken; rename it")
        found[point.name] = point.load()
    return found


def recipe(name: str, **settings: Any) -> Recipe:
    """Return the recipe of a name, with some settings changed.

    Args:
        name: Name of the recipe, as `known_recipes` lists them.
        **settings: Fields of `RecipeSettings`.

    Returns:
        The recipe.

    Raises:
        InputError: If the name or the quality is unknown.
    """
    if name not in known_recipes():
        raise InputError(f"unknown sampler '{name}'; expected {', '.join(known_recipes())}")
    return known_recipes()[name](RecipeSettings(**settings))
