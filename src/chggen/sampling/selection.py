"""Selection of the best of several samples of the same crystal."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from chggen.crystals import Crystals, collate
from chggen.diffusion import Noise, ScoreModel
from chggen.sampling.agreement import Distances, distances_of
from chggen.sampling.random_numbers import generators_from, normal

Sample = Callable[[Sequence[int], Sequence[int]], Crystals]
"""Returns a batch of samples of the crystals of these numbers, each by its seed."""


@runtime_checkable
class Criterion(Protocol):
    """Protocol of the rules that rank samples of one crystal, the lowest mark being the best."""

    @property
    def evaluations(self) -> int:
        """Evaluations of the score network that one call takes."""
        ...

    def __call__(
        self, score: ScoreModel, crystals: Crystals, generators: Sequence[torch.Generator]
    ) -> Float[Tensor, "crystals"]:
        """Mark one sample of each crystal.

        Args:
            score: The network.
            crystals: The samples.
            generators: One for each crystal, for a criterion that draws noise.

        Returns:
            A mark for each crystal, shape (crystals,). Inf refuses a sample; NaN counts as inf.
        """
        ...


@runtime_checkable
class FinalSelector(Protocol):
    """Protocol of the final selection among samples that a `Criterion` has sorted."""

    def __call__(
        self, samples: Sequence[Crystals], refused: Bool[Tensor, "samples crystals"]
    ) -> Int[Tensor, "crystals"]:
        """Choose one sample of each crystal.

        Args:
            samples: Batches of the same crystals. Of each crystal, the first batch holds its best sample.
            refused: True where the criterion's mark is inf, shape (samples, crystals). Such a sample is chosen only if
                all samples of the crystal are refused.

        Returns:
            The number of the chosen sample of each crystal, shape (crystals,).
        """
        ...


@dataclass(frozen=True)
class DenoisingError:
    """The `Criterion` of how well the network finds the way back to a crystal from noise.

    The mark is the mean of |σ s(x + σz) + z|² over atoms and levels, with one draw of the noise z for each level. The
    integral ½ ∫ E|σ s + z|² d ln σ² bounds −log p(x) up to a constant (Song, Durkan, Murray & Ermon, NeurIPS 2021). Of
    two crystals with the same atoms and cell, the one with the lower mark is therefore likely the more probable.

    Every atom is noised, the host's too, because a guest at a wrong site shows in its neighbours. A shift of the whole
    crystal does not count as an error.

    Attributes:
        sigmas: Levels in Å. They lie below the distance between sites; at higher levels a wrong site looks like a right
            one.
    """

    sigmas: tuple[float, ...] = (0.05, 0.1, 0.2)

    @property
    def evaluations(self) -> int:
        """Evaluations of the score network that one call takes: one for each level."""
        return len(self.sigmas)

    @torch.no_grad()
    def __call__(
        self, score: ScoreModel, crystals: Crystals, generators: Sequence[torch.Generator]
    ) -> Float[Tensor, "crystals"]:
        every = replace(crystals, guest=torch.ones_like(crystals.guest))
        index, like = crystals.crystal_index, crystals.frac_coords
        seen = every.to(like.device, torch.float32)  # the same cells at every level, which the network may remember
        count = crystals.n_atoms.to(like)
        total = torch.zeros_like(count)
        for sigma in self.sigmas:
            z = normal(crystals, generators)
            noised = replace(seen, frac_coords=every.moved(sigma * z).frac_coords.float())
            level = Noise(
                sigma=torch.full_like(noised.frac_coords[:, 0], sigma), tau=torch.zeros_like(count, dtype=torch.float32)
            )
            off = sigma * score(noised, level).atoms.to(like.dtype) + z
            shift = like.new_zeros(len(count), 3).index_add(0, index, off) / count[:, None]
            total = total.index_add(0, index, ((off - shift[index]) ** 2).sum(-1))
        return total / (count * len(self.sigmas))


@dataclass(frozen=True, kw_only=True)
class BestOf:
    """Sampling several times and keeping the best sample of each crystal.

    Attributes:
        n: Most samples of a crystal, called tries.
        judge: Marks the tries; the lowest mark wins. Of tries that agree only the first is marked.
        final: Chooses among the tries in the order of their marks. None takes the lowest mark.
        enough: So many tries are made at first. Where they all agree, no more are made and none is marked. None makes
            all of them at once.
        atoms: Where only one of n tries is the best one, more are made, twice as many in all each time, until two are,
            as long as the tries of a crystal do not have more atoms together than this. 0 makes no more than n.

    Raises:
        ValueError: If n or `enough` is below 1.
    """

    n: int = 1
    judge: Criterion = DenoisingError()
    final: FinalSelector | None = None
    enough: int | None = None
    atoms: int = 0

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"best_of must be at least 1, got {self.n}")
        if self.enough is not None and self.enough < 1:
            raise ValueError(f"enough must be at least 1, got {self.enough}")

    @property
    def evaluations(self) -> int:
        """Evaluations of the network that judging one try takes; 0 where there is only one try."""
        return self.judge.evaluations if self.n > 1 else 0

    @property
    def least_rounds(self) -> int:
        """How many times tries are made together, if no more than n are."""
        return 1 if self.enough is None or self.enough >= self.n else 2

    def run(self, sample: Sample, score: ScoreModel, seeds: Sequence[int]) -> Crystals:
        """Sample several times and return the best sample of each crystal.

        All tries of a crystal are judged with the same noise, so that marks differ by the samples alone.

        Args:
            sample: `sample(which, seeds)` returns one sample for each entry: of the crystal of that number, by that
                seed.
            score: The network, for the judge.
            seeds: One for each crystal. The first try takes them as they are; others take seeds that follow from them.

        Returns:
            The best samples. Of equal marks the first try wins.
        """
        if self.n == 1:
            return sample(range(len(seeds)), seeds)
        tries = [_Tries() for _ in seeds]
        going_on, begun, most = list(range(len(seeds))), 0, min(self.enough or self.n, self.n)
        while going_on:
            wanted = [(c, k) for k in range(begun, most) for c in going_on]
            made = sample(*zip(*((c, _another(seeds[c], k) if k else seeds[c]) for c, k in wanted), strict=True))
            for (c, _), each, distances in zip(wanted, made.split(), distances_of(made), strict=True):
                tries[c].add(each, distances)
            going_on = [c for c in going_on if not tries[c].settled]
            begun, most = most, self.n if most < self.n else 2 * most
            if begun >= self.n:
                self._mark(tries, going_on, score, seeds)
                going_on = [c for c in going_on if most * tries[c].atoms <= self.atoms and not tries[c].found_again]
        orders = [sorted(range(len(mine.made)), key=mine.marks.__getitem__) for mine in tries]  # the first of equals
        if self.final is None:
            return collate([mine.made[order[0]] for mine, order in zip(tries, orders, strict=True)])
        batches = [collate([m.made[order[k]] for m, order in zip(tries, orders, strict=True)]) for k in range(self.n)]
        refused = [
            [math.isinf(m.marks[order[k]]) for m, order in zip(tries, orders, strict=True)] for k in range(self.n)
        ]
        won = self.final(batches, torch.tensor(refused, device=batches[0].lattice.device)).tolist()
        return collate([mine.made[order[k]] for mine, order, k in zip(tries, orders, won, strict=True)])

    def _mark(self, tries: Sequence[_Tries], which: Sequence[int], score: ScoreModel, seeds: Sequence[int]) -> None:
        """Mark the tries of some crystals that have no mark yet, all in one batch."""
        chosen = [(c, k) for c in which for k in tries[c].distinct if k not in tries[c].marked]
        if not chosen:
            return
        generators = generators_from([_another(seeds[c], 0) for c, _ in chosen])
        marks = self.judge(score, collate([tries[c].made[k] for c, k in chosen]), generators).tolist()
        for (c, k), mark in zip(chosen, marks, strict=True):
            tries[c].marked[k] = math.inf if math.isnan(mark) else mark


class _Tries:
    """The tries of one crystal.

    Attributes:
        made: The samples.
        firsts: For each the number of the first that it agrees with.
        marked: The marks of those that are the first of those that agree, by their numbers.
    """

    def __init__(self) -> None:
        self.made: list[Crystals] = []
        self.firsts: list[int] = []
        self.marked: dict[int, float] = {}
        self._distances: list[Distances] = []

    def add(self, made: Crystals, distances: Distances) -> None:
        """Add a sample."""
        own = len(self.made)
        self.firsts.append(next((k for k in self.distinct if self._distances[k].agree(distances)), own))
        self.made.append(made)
        self._distances.append(distances)

    @property
    def marks(self) -> list[float]:
        """The mark of each try, 0 where none was marked."""
        return [self.marked.get(first, 0.0) for first in self.firsts]

    @property
    def atoms(self) -> int:
        """Number of atoms of the crystal."""
        return len(self.made[0].atomic_numbers)

    @property
    def distinct(self) -> list[int]:
        """The first of each group of tries that agree."""
        return list(dict.fromkeys(self.firsts))

    @property
    def settled(self) -> bool:
        """Whether all tries agree."""
        return len(self.distinct) == 1

    @property
    def found_again(self) -> bool:
        """Whether another try agrees with the best one."""
        return self.firsts.count(min(self.marked, key=self.marked.__getitem__)) > 1


ONE: Final = BestOf()


def _another(seed: int, k: int) -> int:
    """The seed of try k, counted from 1; k = 0 gives the seed of the noise that judges all tries."""
    return int(np.random.default_rng([seed, k]).integers(2**62))
