"""The best of several samples of the same crystal, as told by a judge."""

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
    """Orders samples of one crystal: the lowest mark is the best. `evaluations` of the score network it takes."""

    @property
    def evaluations(self) -> int: ...

    def __call__(
        self, score: ScoreModel, crystals: Crystals, generators: Sequence[torch.Generator]
    ) -> Float[Tensor, "crystals"]: ...


@runtime_checkable
class FinalSelector(Protocol):
    """Has the last word among samples of each crystal, given by their marks, the lowest first: which of them it is.

    refused: those whose mark is inf, to be chosen only where all are.
    """

    def __call__(
        self, samples: Sequence[Crystals], refused: Bool[Tensor, "samples crystals"]
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
    """Sample n times and keep the sample that the judge marks lowest, or the one that has the last word by `final`."""

    n: int = 1
    judge: Criterion = DenoisingError()
    final: FinalSelector | None = None

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
    """Of each crystal the try of this number; tries may have their own cells."""
    index = tries[0].crystal_index
    atoms, crystals = (torch.arange(len(over), device=over.device) for over in (index, which))
    frac = torch.stack([made.frac_coords for made in tries])[which[index], atoms]
    lattice = torch.stack([made.lattice for made in tries])[which, crystals]
    return replace(tries[0], frac_coords=frac, lattice=lattice)


ONE: Final = BestOf()


def _another(seed: int, k: int) -> int:
    """Seed of the k-th further try; k = 0: of the noise that judges them all."""
    return int(np.random.default_rng([seed, k]).integers(2**62))
