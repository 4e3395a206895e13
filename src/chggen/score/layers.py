"""Layers that the score networks share: radial basis, embedding of noise levels, activation, padding of batches."""

from __future__ import annotations

import math
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from chggen.crystals import Crystals, collate
from chggen.diffusion import Noise

MAX_ATOMIC_NUMBER = 118
MAX_WIDTH: Final = 1024  # features of an atom, or functions of a distance; networks in use have a tenth
MAX_LAYERS: Final = 32
MIN_CUTOFF: Final = 0.5  # Å, shorter than any bond
MAX_CUTOFF: Final = 20.0  # Å; an atom then has thousands of neighbours
_LANES: Final = 32  # float32 numbers that vector code takes at once, twice the width of the widest units
LEAST_ROWS: Final = 16
"""From there on the last digits of a matrix product do not depend on the number of rows."""


def padded(crystals: Crystals, noise: Noise) -> tuple[Crystals, Noise]:
    """Return a small batch with a crystal of 16 dummy atoms appended.

    Matrix products of few rows use other kernels than products of many rows, and their last digits differ. Without the
    dummy atoms a crystal's sample would depend on how many crystals are sampled with it.

    Args:
        crystals: A batch of crystals.
        noise: Its noise levels.

    Returns:
        The batch and its noise levels. A batch of 16 atoms or more is returned as it is. A smaller one gets one more
        crystal, at the end, whose atoms are hydrogen in a chain.
    """
    if len(crystals.atomic_numbers) >= LEAST_ROWS:
        return crystals, noise
    like, spacing = crystals.lattice, 1.5  # Å
    frac = like.new_full((LEAST_ROWS, 3), 0.5)
    frac[:, 0] = torch.arange(LEAST_ROWS, device=like.device) / (2 * LEAST_ROWS)
    numbers = crystals.atomic_numbers.new_ones(LEAST_ROWS)
    chain = Crystals(
        frac_coords=frac,
        lattice=2 * LEAST_ROWS * spacing * torch.eye(3, device=like.device, dtype=like.dtype)[None],
        atomic_numbers=numbers,
        crystal_index=torch.zeros_like(numbers),
        guest=torch.ones_like(numbers, dtype=torch.bool),
    )
    sigma = torch.cat([noise.sigma, noise.sigma.new_ones(LEAST_ROWS)])
    return collate([crystals, chain]), Noise(sigma=sigma, tau=torch.cat([noise.tau, noise.tau.new_zeros(1)]))


def silu(x: Tensor) -> Tensor:
    """Return x · sigmoid(x), with the same last digits wherever a number stands in the batch.

    Vector units take 32 numbers at once. The numbers left over at the end of a tensor are computed by other code, whose
    last digits differ. So zeros are appended until nothing is left over.

    Args:
        x: Numbers of any shape.
    """
    if not (missing := -x.numel() % _LANES):
        return functional.silu(x)
    return functional.silu(torch.cat([x.flatten(), x.new_zeros(missing)]))[: x.numel()].view_as(x)


class Silu(nn.Module):
    """The activation x · sigmoid(x), see `silu`."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply the activation to each number.

        Args:
            x: Numbers of any shape.

        Returns:
            x · sigmoid(x), of the shape of x.
        """
        return silu(x)


class RadialBasis(nn.Module):
    """Bessel functions of the distance, sin(nπr/r_c)/r, times an envelope that falls to 0 at the cutoff r_c.

    The envelope is a polynomial whose first three derivatives vanish at the cutoff, so that the score is smooth there.
    The product is finite at r = 0, because strongly noised atoms may overlap (Gasteiger et al., ICLR 2020).

    Args:
        n_basis: Number of Bessel functions.
        cutoff: Distance r_c in Å from which on the functions are 0.
    """

    def __init__(self, n_basis: int, cutoff: float) -> None:
        super().__init__()
        self.cutoff = cutoff
        self.register_buffer("frequency", torch.arange(1, n_basis + 1) * math.pi)
        self.frequency: Tensor

    def forward(self, distance: Float[Tensor, "edges"]) -> Float[Tensor, "edges basis"]:
        """Evaluate the functions.

        Args:
            distance: Lengths of the edges in Å, shape (edges,).

        Returns:
            Values of the functions, without unit, shape (edges, n_basis).
        """
        x = (distance / self.cutoff).clamp(min=1e-6, max=1.0)[:, None]
        # Neither torch.sinc nor powers: their last digits depend on where an edge stands in the batch.
        bessel = math.sqrt(2.0) * torch.sin(self.frequency * x) / x
        squared = x * x
        envelope = 1 - squared * squared * (35 - x * (84 - x * (70 - 20 * x)))
        return bessel * envelope


class SigmaEmbedding(nn.Module):
    """Features of a noise level: a small network on sines and cosines of log σ.

    The level 0, of a host atom known exactly, has no logarithm and gets a learned vector of its own.

    Args:
        n_features: Features for each level.
        n_waves: Number of frequencies of the sines and cosines.
    """

    def __init__(self, n_features: int, n_waves: int = 16) -> None:
        super().__init__()
        self.register_buffer("wave", torch.logspace(-0.7, 1.3, n_waves))
        self.wave: Tensor
        self.clean = nn.Parameter(torch.zeros(n_features))
        self.net = nn.Sequential(nn.Linear(2 * n_waves, n_features), Silu(), nn.Linear(n_features, n_features))

    def forward(self, sigma: Float[Tensor, "atoms"]) -> Float[Tensor, "atoms features"]:
        """Embed the noise levels.

        Args:
            sigma: Level of each atom in Å, shape (atoms,). The strain score hands in tau, shape (crystals,).

        Returns:
            Features, shape (atoms, n_features).
        """
        noisy = sigma > 0
        phase = torch.log(torch.where(noisy, sigma, torch.ones_like(sigma)))[:, None] * self.wave
        features = self.net(torch.cat([torch.sin(phase), torch.cos(phase)], dim=-1))
        return torch.where(noisy[:, None], features, self.clean)


def score_from_noise(noise: Float[Tensor, "atoms 3"], sigma: Float[Tensor, "atoms"]) -> Float[Tensor, "atoms 3"]:
    """Return the score −e/σ of a predicted noise e.

    Args:
        noise: Predicted displacement of each atom in units of its σ, Cartesian, shape (atoms, 3).
        sigma: Noise level of each atom in Å, shape (atoms,).

    Returns:
        Scores in 1/Å, Cartesian, shape (atoms, 3); exactly 0 where σ is 0.
    """
    moves = sigma > 0
    scale = torch.where(moves, -1.0 / torch.where(moves, sigma, torch.ones_like(sigma)), torch.zeros_like(sigma))
    return noise * scale[:, None]
