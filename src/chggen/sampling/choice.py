"""The best of several samples of the same crystal, as told by a judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from chggen.crystals import Crystals, Noise, ScoreModel
from chggen.sampling.noise_source import generators_from, normal


@runtime_checkable
class Judge(Protocol):
    """Orders samples of one crystal: the lowest mark is the best. `evaluations` of the score network it takes."""

    @property
    def evaluations(self) -> int: ...

    def __call__(
        self, score: ScoreModel, crystals: Crystals, generators: Sequence[torch.Generator]
    ) -> Float[Tensor, "crystals"]: ...


@dataclass(frozen=True)
class DenoisingError:
    """How badly the network finds the way back to a crystal from noise: mean of |σ s(x + σz) + z|² an atom.

    ½ ∫ E|σ s + z|² d ln σ² bounds −log p(x) up to a constant (Song, Durkan, Murray & Ermon, NeurIPS 2021), so of two
    crystals of the same atoms in the same cell the one of the lower error is the likelier. One draw for each sigma, Å;
    they lie below the distance between sites, farther out a wrong site looks like a right one. Every atom is noised,
    the host's too: a guest at a wrong site shows in its neighbours. A shift of the whole crystal is no error.
    """

    sigmas: tuple[float, ...] = (0.05, 0.1, 0.2)

    @property
    def evaluations(self) -> int:
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
    """Sample n times and keep the sample that the judge marks lowest."""

    n: int = 1
    judge: Judge = DenoisingError()

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"best_of must be at least 1, got {self.n}")

    @property
    def evaluations(self) -> int:
        """Evaluations of the network that judge one try; none where there is nothing to choose from."""
        return self.judge.evaluations if self.n > 1 else 0

    def run(
        self, sample: Callable[[Sequence[int], int], Crystals], score: ScoreModel, seeds: Sequence[int]
    ) -> Crystals:
        """The best of n `sample(seeds, try)`, crystal by crystal; one noise judges all tries of a crystal."""
        best = sample(seeds, 0)
        if self.n == 1:
            return best
        least = self._mark(score, best, seeds)
        for k in range(1, self.n):
            made = sample([_another(seed, k) for seed in seeds], k)
            mark = self._mark(score, made, seeds)
            better = mark < least
            least = torch.where(better, mark, least)
            frac = torch.where(better[made.crystal_index][:, None], made.frac_coords, best.frac_coords)
            lattice = torch.where(better[:, None, None], made.lattice, best.lattice)  # tries may have their own cells
            best = replace(best, frac_coords=frac, lattice=lattice)
        return best

    def _mark(self, score: ScoreModel, made: Crystals, seeds: Sequence[int]) -> Float[Tensor, "crystals"]:
        mark = self.judge(score, made, generators_from([_another(seed, 0) for seed in seeds]))
        return torch.nan_to_num(mark, nan=torch.inf)


ONE: Final = BestOf()


def _another(seed: int, k: int) -> int:
    """Seed of the k-th further try; k = 0: of the noise that judges them all."""
    return int(np.random.default_rng([seed, k]).integers(2**62))
