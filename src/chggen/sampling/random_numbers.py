"""Random numbers of a batch: one generator for each crystal, so that its noise does not depend on the rest."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from chggen.crystals import Crystals


def generators_from(seeds: Sequence[int]) -> list[torch.Generator]:
    """Return one generator of random numbers for each seed.

    They are on the CPU for models on other devices too, so that the noise is the same on every device.

    Args:
        seeds: One seed for each crystal of a batch, at least 0.

    Returns:
        Generators on the CPU, in the order of the seeds.
    """
    return [torch.Generator("cpu").manual_seed(seed) for seed in seeds]


def normal(crystals: Crystals, generators: Sequence[torch.Generator]) -> Float[Tensor, "atoms 3"]:
    """Return standard normal numbers for every atom.

    Args:
        crystals: A batch of crystals.
        generators: One for each crystal. Each draws the numbers of its own crystal, in float64.

    Returns:
        Numbers of shape (atoms, 3), on the device and in the dtype of the coordinates.

    Raises:
        ValueError: If the number of generators is not that of the crystals.
    """
    return _each(crystals, generators, torch.randn)


def uniform(crystals: Crystals, generators: Sequence[torch.Generator]) -> Float[Tensor, "atoms 3"]:
    """Return numbers uniform in [0, 1) for every atom.

    Args:
        crystals: A batch of crystals.
        generators: One for each crystal. Each draws the numbers of its own crystal, in float64.

    Returns:
        Numbers of shape (atoms, 3), on the device and in the dtype of the coordinates.

    Raises:
        ValueError: If the number of generators is not that of the crystals.
    """
    return _each(crystals, generators, torch.rand)


def _each(crystals: Crystals, generators: Sequence[torch.Generator], draw) -> Tensor:  # type: ignore[no-untyped-def]
    counts = crystals.n_atoms.tolist()
    if len(generators) != len(counts):
        raise ValueError(f"expected one generator for each of {len(counts)} crystals, got {len(generators)}")
    parts = [draw(n, 3, generator=g, dtype=torch.float64) for n, g in zip(counts, generators, strict=True)]
    return torch.cat(parts).to(crystals.frac_coords)
