"""What the score networks share: radial basis, smooth cutoff, and the embedding of noise levels."""

from __future__ import annotations

import math
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from chggen.crystals import Crystals, batch
from chggen.diffusion import Noise

MAX_ATOMIC_NUMBER = 118
_LANES: Final = 32  # float32 numbers that vector code takes at once, twice the width of the widest units
_PROPS: Final = 16  # atoms; from there on a product's last digits do not depend on their number


def propped(crystals: Crystals, noise: Noise) -> tuple[Crystals, Noise]:
    """The batch, followed by a chain of atoms far from everything if it has few.

    Products of few rows take kernels whose last digits differ, which would make a crystal's samples depend on what
    is sampled beside it.
    """
    if len(crystals.atomic_numbers) >= _PROPS:
        return crystals, noise
    like, spacing = crystals.lattice, 1.5  # Å
    frac = like.new_full((_PROPS, 3), 0.5)
    frac[:, 0] = torch.arange(_PROPS, device=like.device) / (2 * _PROPS)
    numbers = crystals.atomic_numbers.new_ones(_PROPS)
    chain = Crystals(
        frac_coords=frac,
        lattice=2 * _PROPS * spacing * torch.eye(3, device=like.device, dtype=like.dtype)[None],
        atomic_numbers=numbers,
        crystal_index=torch.zeros_like(numbers),
        guest=torch.ones_like(numbers, dtype=torch.bool),
    )
    sigma = torch.cat([noise.sigma, noise.sigma.new_ones(_PROPS)])
    return batch([crystals, chain]), Noise(sigma=sigma, tau=torch.cat([noise.tau, noise.tau.new_zeros(1)]))


class Silu(nn.Module):
    """x sigmoid(x), computed with zeros behind x that fill up the last lanes of vector units.

    What does not fill them is left to other code, whose last digits differ: those of a crystal would depend on
    whether it is the last of its batch.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not (missing := -x.numel() % _LANES):
            return functional.silu(x)
        return functional.silu(torch.cat([x.flatten(), x.new_zeros(missing)]))[: x.numel()].view_as(x)


class RadialBasis(nn.Module):
    """Spherical Bessel functions sin(nπr/r_c)/r times a polynomial envelope, smooth to the third order at r_c.

    Both are finite at r = 0, where strongly noised atoms come to lie (Gasteiger et al., ICLR 2020).
    """

    def __init__(self, n_basis: int, cutoff: float) -> None:
        super().__init__()
        self.cutoff = cutoff
        self.register_buffer("frequency", torch.arange(1, n_basis + 1) * math.pi)
        self.frequency: Tensor

    def forward(self, distance: Float[Tensor, "edges"]) -> Float[Tensor, "edges basis"]:
        x = (distance / self.cutoff).clamp(min=1e-6, max=1.0)[:, None]
        # Neither torch.sinc nor powers: their last digits depend on where an edge stands in the batch.
        bessel = math.sqrt(2.0) * torch.sin(self.frequency * x) / x
        squared = x * x
        envelope = 1 - squared * squared * (35 - x * (84 - x * (70 - 20 * x)))
        return bessel * envelope


class SigmaEmbedding(nn.Module):
    """Noise level of each atom → features: sinusoids of log σ, and a vector of its own for σ = 0."""

    def __init__(self, n_features: int, n_waves: int = 16) -> None:
        super().__init__()
        self.register_buffer("wave", torch.logspace(-0.7, 1.3, n_waves))
        self.wave: Tensor
        self.clean = nn.Parameter(torch.zeros(n_features))
        self.net = nn.Sequential(nn.Linear(2 * n_waves, n_features), Silu(), nn.Linear(n_features, n_features))

    def forward(self, sigma: Float[Tensor, "atoms"]) -> Float[Tensor, "atoms features"]:
        noisy = sigma > 0
        phase = torch.log(torch.where(noisy, sigma, torch.ones_like(sigma)))[:, None] * self.wave
        features = self.net(torch.cat([torch.sin(phase), torch.cos(phase)], dim=-1))
        return torch.where(noisy[:, None], features, self.clean)


def score_from_noise(noise: Float[Tensor, "atoms 3"], sigma: Float[Tensor, "atoms"]) -> Float[Tensor, "atoms 3"]:
    """Predicted noise e in units of σ → score −e/σ, 1/Å; exactly 0 where σ is 0."""
    moves = sigma > 0
    scale = torch.where(moves, -1.0 / torch.where(moves, sigma, torch.ones_like(sigma)), torch.zeros_like(sigma))
    return noise * scale[:, None]
