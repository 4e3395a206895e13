"""The score of a lattice's shape, given what the crystal is made of: the part that all architectures share.

It sees the vectors of the noised cell and of its reference, thirteen short ones of each up to sign, and the species.
What it returns is a sum of their dyads with invariant weights: symmetric, and turning with the crystal; the order and
signs of the lattice vectors do not matter.
"""

from __future__ import annotations

import itertools

import torch
from jaxtyping import Float
from torch import Tensor, nn

from chggen.crystals import Crystals
from chggen.diffusion import SPREAD, Noise, Score, aligned, kept, traceless
from chggen.score.layers import MAX_ATOMIC_NUMBER, SigmaEmbedding, Silu

_HALF = [v for v in itertools.product((-1, 0, 1), repeat=3) if v > (0, 0, 0)]


def score_of_shape(strain: StrainScore | None, crystals: Crystals, noise: Noise) -> Score | None:
    """The score where the lattices are noised, None where they are all known and the atoms are to be asked about.

    While a lattice is noised its atoms are uniform, and their score is 0. Raises ValueError for a mixed batch, one
    without a reference, and a model without a strain score.
    """
    if not bool((noise.tau != 0).any()):
        return None
    if strain is None:
        raise ValueError("this score model knows no lattice noise: expected tau = 0, use a model with a strain score")
    if noise.reference is None or bool((noise.tau == 0).any()):
        raise ValueError("lattice noise needs a reference cell and tau above 0 for every crystal of the batch")
    return Score(atoms=torch.zeros_like(crystals.frac_coords), strain=strain(crystals, noise.reference, noise.tau))


class StrainScore(nn.Module):
    """∂ log p / ∂S of the noised shape of a cell whose atoms are anywhere; S as in diffusion.strain."""

    def __init__(self, features: int, layers: int = 3) -> None:
        super().__init__()
        f = features
        self.register_buffer("steps", torch.tensor(_HALF, dtype=torch.float32), persistent=False)
        self.steps: Tensor
        self.species = nn.Embedding(MAX_ATOMIC_NUMBER + 1, f)
        self.counted = _mlp(f + 3, f, f)
        self.made_of = nn.ModuleList(_mlp(2 * f, f, f) for _ in range(2))
        self.level = SigmaEmbedding(f)
        self.vector = _mlp(4, f, f)
        self.exchange = nn.ModuleList(_mlp(4 * f, f, f) for _ in range(layers))
        self.angle = nn.ModuleList(_mlp(3, f, f) for _ in range(layers))
        self.weights = _mlp(2 * f, f, 3)
        self.along = _mlp(2 * f, f, 1)

    def forward(
        self, crystals: Crystals, reference: Float[Tensor, "crystals 3 3"], tau: Float[Tensor, "crystals"]
    ) -> Float[Tensor, "crystals 3 3"]:
        """Shape (crystals, 3, 3), symmetric and traceless; reference: the cell that S is counted from."""
        reference, strain = aligned(reference, crystals.lattice)
        velocity = self._velocity(crystals, reference, strain, tau)
        # velocity = √(1 − τ²) s Z − τ S_0, bounded at either end (Salimans & Ho, ICLR 2022); s Z is the noise in S_τ.
        noise = tau[:, None, None] * strain + kept(tau)[:, None, None] * velocity
        return -noise / (tau * SPREAD**2)[:, None, None]

    def _velocity(self, crystals: Crystals, reference: Tensor, strain: Tensor, tau: Tensor) -> Tensor:
        content = self._content(crystals) + self.level(tau)
        edge = torch.linalg.det(reference).abs()[:, None, None] ** (1 / 3)
        short, plain = self.steps @ crystals.lattice / edge, self.steps @ reference / edge
        lengths = torch.stack([(short**2).sum(-1), (plain**2).sum(-1), (short * plain).sum(-1)], dim=-1)
        order = (strain @ strain).diagonal(dim1=-2, dim2=-1).sum(-1)[:, None, None].expand_as(lengths[..., :1])
        token = self.vector(torch.cat([lengths, order], dim=-1))
        unit, flat = (v / torch.linalg.norm(v, dim=-1, keepdim=True).clamp(min=1e-3) for v in (short, plain))
        cosines = torch.stack(
            [unit @ unit.transpose(-1, -2), flat @ flat.transpose(-1, -2), unit @ flat.transpose(-1, -2)], dim=-1
        ).square()
        for exchange, angle in zip(self.exchange, self.angle, strict=True):
            arriving = (angle(cosines) * token[:, None]).mean(2)
            everywhere = token.mean(1, keepdim=True).expand_as(token)
            seen = torch.cat([token, arriving, everywhere, content[:, None].expand_as(token)], dim=-1)
            token = token + exchange(seen)
        weight = self.weights(torch.cat([token, content[:, None].expand_as(token)], dim=-1))
        dyads = [(short, short), (plain, plain), (short, plain)]
        total = sum(torch.einsum("ck,cki,ckj->cij", weight[..., n], a, b) for n, (a, b) in enumerate(dyads))
        own = self.along(torch.cat([token.mean(1), content], dim=-1))[:, :, None] * strain
        return traceless(total / len(_HALF) + own) * SPREAD

    def _content(self, crystals: Crystals) -> Float[Tensor, "crystals features"]:
        """What the crystal is made of: its species with their shares and counts, each seen beside the others."""
        index, n = crystals.crystal_index, crystals.n_crystals
        size = crystals.n_atoms.to(crystals.lattice)
        code = index * (MAX_ATOMIC_NUMBER + 1) + crystals.atomic_numbers
        kinds, count = torch.unique(code, return_counts=True)
        share = count / size[kinds // (MAX_ATOMIC_NUMBER + 1)]
        own = torch.stack([share, count.log(), size[kinds // (MAX_ATOMIC_NUMBER + 1)].log()], dim=-1)
        x = self.counted(torch.cat([self.species(kinds % (MAX_ATOMIC_NUMBER + 1)), own.to(share)], dim=-1))
        which, each = kinds // (MAX_ATOMIC_NUMBER + 1), share[:, None]
        for layer in self.made_of:
            pooled = x.new_zeros(n, x.shape[1]).index_add(0, which, x * each)
            x = x + layer(torch.cat([x, pooled[which]], dim=-1))
        return x.new_zeros(n, x.shape[1]).index_add(0, which, x * each)


def _mlp(inputs: int, width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, width), Silu(), nn.Linear(width, outputs))
