"""Selection of the best of several samples of the same crystal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from chggen.crystals import Crystals
from chggen.diffusion import Noise, ScoreModel
from chggen.sampling.random_numbers import generators_from, normal


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
        count = crystals.n_atoms.to(like)
        total = torch.zeros_like(count)
        for sigma in self.sigmas:
            z = normal(crystals, generators)
            noised = every.moved(sigma * z).to(like.device, torch.float32)
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
        n: Number of samples, called tries.
        judge: Marks the tries; the lowest mark wins.
        final: Chooses among the tries in the order of their marks. None takes the lowest mark.

    Raises:
        ValueError: If n is below 1.
    """

    n: int = 1
    judge: Criterion = DenoisingError()
    final: FinalSelector | None = None

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"best_of must be at least 1, got {self.n}")

    @property
    def evaluations(self) -> int:
        """Evaluations of the network that judging one try takes; 0 where there is only one try."""
        return self.judge.evaluations if self.n > 1 else 0

    def run(
        self, sample: Callable[[Sequence[int], int], Crystals], score: ScoreModel, seeds: Sequence[int]
    ) -> Crystals:
        """Sample n times and return the best sample of each crystal.

        All tries of a crystal are judged with the same noise, so that marks differ by the samples alone.

        Args:
            sample: `sample(seeds, try)` returns one sample of each crystal. Tries are numbered from 0.
            score: The network, for the judge.
            seeds: One for each crystal. The first try takes them as they are; others take seeds that follow from them.

        Returns:
            The best samples. Of equal marks the first try wins.
        """
        if self.n == 1:
            return sample(seeds, 0)
        tries, marks = [], []
        for k in range(self.n):
            tries.append(sample(seeds if k == 0 else [_another(seed, k) for seed in seeds], k))
            mark = self.judge(score, tries[k], generators_from([_another(seed, 0) for seed in seeds]))
            marks.append(torch.where(mark.isnan(), torch.inf, mark))
        mark, order = torch.stack(marks).sort(dim=0, stable=True)  # the first of equals
        if self.final is None:
            return _picked(tries, order[0])
        won = self.final([_picked(tries, which) for which in order], torch.isinf(mark))
        return _picked(tries, order.gather(0, won[None])[0])


def _picked(tries: Sequence[Crystals], which: Int[Tensor, "crystals"]) -> Crystals:
    """The chosen try of each crystal, with its own cell, from batches of the same atoms."""
    index = tries[0].crystal_index
    atoms, crystals = (torch.arange(len(over), device=over.device) for over in (index, which))
    frac = torch.stack([made.frac_coords for made in tries])[which[index], atoms]
    lattice = torch.stack([made.lattice for made in tries])[which, crystals]
    return replace(tries[0], frac_coords=frac, lattice=lattice)


ONE: Final = BestOf()


def _another(seed: int, k: int) -> int:
    """The seed of try k, counted from 1; k = 0 gives the seed of the noise that judges all tries."""
    return int(np.random.default_rng([seed, k]).integers(2**62))
