"""Random numbers of a batch: one generator a crystal, so that no crystal's noise depends on its batch mates."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from chggen.crystals import Crystals


def generators_from(seeds: Sequence[int]) -> list[torch.Generator]:
    """One CPU generator for each seed; CPU also for models on other devices, whose noise is then the same."""
    return [torch.Generator("cpu").manual_seed(seed) for seed in seeds]


def normal(crystals: Crystals, generators: Sequence[torch.Generator]) -> Float[Tensor, "atoms 3"]:
    """Standard normal numbers for every atom, each crystal's from its own generator, in float64."""
    return _each(crystals, generators, torch.randn)


def uniform(crystals: Crystals, generators: Sequence[torch.Generator]) -> Float[Tensor, "atoms 3"]:
    """Numbers uniform in [0, 1) for every atom, each crystal's from its own generator, in float64."""
    return _each(crystals, generators, torch.rand)


def _each(crystals: Crystals, generators: Sequence[torch.Generator], draw) -> Tensor:  # type: ignore[no-untyped-def]
    counts = crystals.n_atoms.tolist()
    if len(generators) != len(counts):
        raise ValueError(f"expected one generator for each of {len(counts)} crystals, got {len(generators)}")
    parts = [draw(n, 3, generator=g, dtype=torch.float64) for n, g in zip(counts, generators, strict=True)]
    return torch.cat(parts).to(crystals.frac_coords)
