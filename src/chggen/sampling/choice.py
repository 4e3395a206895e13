"""The best of several samples of the same crystal, as told by a judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
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


@runtime_checkable
class LastWord(Protocol):
    """Has the last word among samples of each crystal: which of them it is; refused ones only where all are."""

    def __call__(
        self, finalists: Sequence[Crystals], refused: Bool[Tensor, "finalists crystals"]
    ) -> Int[Tensor, "crystals"]: ...


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
    """Sample n times and keep the sample that the judge marks lowest.

    final: has the last word among the `finalists` samples of each crystal that the judge marks lowest; those that the
    judge marks inf are refused.
    """

    n: int = 1
    judge: Judge = DenoisingError()
    finalists: int = 1
    final: LastWord | None = None

    def __post_init__(self) -> None:
        if self.n < 1 or self.finalists < 1:
            raise ValueError(f"best_of and finalists must be at least 1, got {self.n} and {self.finalists}")

    @property
    def evaluations(self) -> int:
        """Evaluations of the network that judge one try; none where there is nothing to choose from."""
        return self.judge.evaluations if self.n > 1 else 0

    def run(
        self, sample: Callable[[Sequence[int], int], Crystals], score: ScoreModel, seeds: Sequence[int]
    ) -> Crystals:
        """The best of n `sample(seeds, try)`, crystal by crystal; one noise judges all tries of a crystal."""
        if self.n == 1:
            return sample(seeds, 0)
        kept: list[_Marked] = []  # lowest first, crystal by crystal
        for k in range(self.n):
            crystals = sample(seeds if k == 0 else [_another(seed, k) for seed in seeds], k)
            made = _Marked(crystals, self._mark(self.judge, score, crystals, seeds))
            for place, other in enumerate(kept):
                kept[place], made = made.lower(other), made.higher(other)
            if len(kept) < self.finalists:
                kept.append(made)
        if self.final is None or len(kept) == 1:
            return kept[0].crystals
        won = self.final([m.crystals for m in kept], torch.stack([torch.isinf(m.mark) for m in kept]))
        best = kept[0]
        for place, other in enumerate(kept):
            best = other.where(won == place, best)
        return best.crystals

    def _mark(self, judge: Judge, score: ScoreModel, made: Crystals, seeds: Sequence[int]) -> Float[Tensor, "crystals"]:
        mark = judge(score, made, generators_from([_another(seed, 0) for seed in seeds]))
        return torch.nan_to_num(mark, nan=torch.inf)


@dataclass(frozen=True)
class _Marked:
    """Samples of a batch with their marks."""

    crystals: Crystals
    mark: Float[Tensor, "crystals"]

    def lower(self, other: _Marked) -> _Marked:
        """Of each crystal the sample of the lower mark; the other's where they tie."""
        return self.where(self.mark < other.mark, other)

    def higher(self, other: _Marked) -> _Marked:
        """What `lower` leaves."""
        return self.where(self.mark >= other.mark, other)

    def where(self, own: Bool[Tensor, "crystals"], other: _Marked) -> _Marked:
        """Its own samples where `own` says so, else the other's."""
        a, b = self.crystals, other.crystals
        frac = torch.where(own[a.crystal_index][:, None], a.frac_coords, b.frac_coords)
        lattice = torch.where(own[:, None, None], a.lattice, b.lattice)  # tries may have their own cells
        return _Marked(replace(b, frac_coords=frac, lattice=lattice), torch.where(own, self.mark, other.mark))


ONE: Final = BestOf()


def _another(seed: int, k: int) -> int:
    """Seed of the k-th further try; k = 0: of the noise that judges them all."""
    return int(np.random.default_rng([seed, k]).integers(2**62))
