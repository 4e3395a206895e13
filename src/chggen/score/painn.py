"""A score network of scalar and vector features, fast on CPUs (PaiNN, Schütt et al., ICML 2021).

It is E(3)-equivariant: the score turns, mirrors and moves with the crystal. Every vector feature is a sum of edge
directions times invariants, hence odd under inversion. The noise level σ of an atom enters before every layer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from chggen.crystals import Crystals, edges_within, pairs_of
from chggen.diffusion import Noise, Score
from chggen.io import Between, check_limits
from chggen.score.cell_shape import StrainScore, score_of_shape
from chggen.score.layers import (
    MAX_ATOMIC_NUMBER,
    MAX_CUTOFF,
    MAX_LAYERS,
    MAX_WIDTH,
    MIN_CUTOFF,
    RadialBasis,
    SigmaEmbedding,
    Silu,
    padded,
    score_from_noise,
)


@dataclass(frozen=True, kw_only=True)
class PainnOptions:
    """Architecture options of `PainnScore`.

    Attributes:
        features: Scalar features of each atom, and vector features as many.
        layers: Number of message-passing layers.
        cutoff: Distance in Å within which atoms see each other.
        n_basis: Number of Bessel functions of the distance.
        n_radial: Number of radial functions learned from the Bessel functions.
        strain_features: Width of the strain score, the score of cell shapes; 0 for a network without one.

    Raises:
        InputError: If a number is outside its limits.
    """

    features: Annotated[int, Between(1, MAX_WIDTH)] = 128
    layers: Annotated[int, Between(1, MAX_LAYERS)] = 4
    cutoff: Annotated[float, Between(MIN_CUTOFF, MAX_CUTOFF)] = 5.5
    n_basis: Annotated[int, Between(1, MAX_WIDTH)] = 24
    n_radial: Annotated[int, Between(1, MAX_WIDTH)] = 12
    strain_features: Annotated[int, Between(0, MAX_WIDTH)] = 0

    def __post_init__(self) -> None:
        check_limits(self)


class PainnScore(nn.Module):
    """A `ScoreModel` with scalar and vector features.

    Args:
        options: The architecture.

    Attributes:
        options: The architecture, as written into checkpoints.
        strain: The strain score, or None for a network without one.
    """

    def __init__(self, options: PainnOptions) -> None:
        super().__init__()
        self.options = options
        f = options.features
        self.species = nn.Embedding(MAX_ATOMIC_NUMBER + 1, f)
        self.sigma = SigmaEmbedding(f)
        self.basis = RadialBasis(options.n_basis, options.cutoff)
        self.radial = nn.Sequential(  # no biases: it vanishes with the basis at the cutoff
            nn.Linear(options.n_basis, 2 * options.n_radial, bias=False),
            Silu(),
            nn.Linear(2 * options.n_radial, options.n_radial, bias=False),
        )
        self.layers = nn.ModuleList(_Layer(f, options.n_radial) for _ in range(options.layers))
        self.readout = nn.Sequential(nn.LayerNorm(f), nn.Linear(f, f), Silu(), nn.Linear(f, f))
        self.direction = nn.Linear(f, f, bias=False)
        self.strain = StrainScore(options.strain_features) if options.strain_features else None

    def forward(self, crystals: Crystals, noise: Noise) -> Score:
        """Return the score of crystals at a noise level.

        Args:
            crystals: A batch of crystals, in the dtype of the weights.
            noise: Their noise levels. tau is 0 for all crystals of the batch or for none.

        Returns:
            Scores of the atoms in 1/Å, Cartesian, shape (atoms, 3). Where tau is not 0, they are 0 and the strain score
            is given as well; see `score_of_shape`.

        Raises:
            ValueError: If tau is not 0 and the batch or the network does not allow for it; see `score_of_shape`.
        """
        if (shape := score_of_shape(self.strain, crystals, noise)) is not None:
            return shape
        n_atoms = len(crystals.atomic_numbers)
        crystals, noise = padded(crystals, noise)
        edges = edges_within(crystals, self.options.cutoff)
        pairs = pairs_of(edges, len(crystals.atomic_numbers))
        vector = edges.vectors(crystals)
        distance = torch.sqrt((vector**2).sum(-1) + 1e-12)
        unit = vector / (distance + 0.01)[:, None]  # falls to 0 with the distance: no kink where atoms overlap
        functions = self.radial(self.basis(distance))
        table = pairs.sum(torch.cat([functions[:, None], functions[:, None] * unit[:, :, None]], dim=1).flatten(1))
        radial, directed = table.transpose(1, 2).split([functions.shape[1], 3 * functions.shape[1]], dim=1)
        directed = directed.unflatten(1, (3, -1)).transpose(1, 2).flatten(1, 2)
        level = self.sigma(noise.sigma)
        scalar = self.species(crystals.atomic_numbers) + level
        vectors = scalar.new_zeros(scalar.shape[0], 3, scalar.shape[1])
        for layer in self.layers:
            scalar, vectors = layer(scalar, vectors, level, radial, directed, pairs.sender)
        predicted = (self.direction(vectors) * self.readout(scalar)[:, None, :]).sum(-1)
        return Score(atoms=score_from_noise(predicted, noise.sigma)[:n_atoms])


class _Layer(nn.Module):
    """A layer: each atom receives messages from its neighbours, then mixes its own scalars and vectors."""

    def __init__(self, f: int, n_radial: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(f)
        self.level = nn.Linear(f, f)
        self.send = nn.Sequential(nn.Linear(f, f), Silu(), nn.Linear(f, 3 * f))
        self.filter = nn.Parameter(torch.randn(n_radial, 3, f) / math.sqrt(40.0 * n_radial))
        self.mix = nn.Linear(f, 2 * f, bias=False)
        self.update = nn.Sequential(nn.Linear(2 * f, f), Silu(), nn.Linear(f, 3 * f))

    def forward(
        self, scalar: Tensor, vectors: Tensor, level: Tensor, radial: Tensor, directed: Tensor, sender: Tensor
    ) -> tuple[Tensor, Tensor]:
        n, f = scalar.shape
        to_scalar, carrier, along = self.send(self.norm(scalar) + self.level(level)).chunk(3, dim=-1)
        sent = torch.cat([to_scalar[:, None], vectors * carrier[:, None]], dim=1).flatten(1)
        carried = radial @ sent.index_select(0, sender.flatten()).view(n, -1, 4 * f)
        created = directed @ along.index_select(0, sender.flatten()).view(n, -1, f)
        arriving, moved = carried.view(n, -1, 4, f).split([1, 3], dim=2)
        scalar = scalar + (arriving.squeeze(2) * self.filter[:, 0]).sum(1)
        moved = moved * self.filter[:, None, 1] + created.view(n, -1, 3, f) * self.filter[:, None, 2]
        vectors = vectors + moved.sum(1)
        left, right = self.mix(vectors).chunk(2, dim=-1)
        length = torch.sqrt((right**2).sum(dim=1) + 1e-6)
        gate, dot, bias = self.update(torch.cat([scalar, length], dim=-1)).chunk(3, dim=-1)
        return scalar + dot * (left * right).sum(dim=1) + bias, vectors + gate[:, None, :] * left
