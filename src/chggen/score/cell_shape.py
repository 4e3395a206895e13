"""The strain score: the score of a cell's shape, given the species in the cell. All architectures share it.

It sees the species, and short lattice vectors of the noised cell and of its reference cell: thirteen of each, of which
no two differ in sign alone. Its output is a sum of dyads v ⊗ w of these vectors with invariant weights. It is therefore
symmetric and turns with the crystal. The order and signs of the lattice vectors do not matter.
"""

from __future__ import annotations

import itertools

import torch
from jaxtyping import Float
from torch import Tensor, nn

from chggen.crystals import Crystals
from chggen.diffusion import SPREAD, Noise, Score, aligned, kept, traceless
from chggen.score.layers import MAX_ATOMIC_NUMBER, SigmaEmbedding, Silu

_SHORT_VECTORS = [v for v in itertools.product((-1, 0, 1), repeat=3) if v > (0, 0, 0)]  # in lattice coordinates


def score_of_shape(strain: StrainScore | None, crystals: Crystals, noise: Noise) -> Score | None:
    """Return the score of crystals whose cells are noised, or None if the cells are known.

    A network calls it first. If the answer is None, the batch is about the atoms and the network goes on to them. While
    a cell is noised its atoms are uniform in it, so their score is 0.

    Args:
        strain: The strain score of the network, or None if it has none.
        crystals: A batch of crystals.
        noise: Their noise levels.

    Returns:
        Zeros of shape (atoms, 3) and the strain score of shape (crystals, 3, 3), or None where every tau is 0.

    Raises:
        ValueError: If tau is not 0 and the network has no strain score, if some crystals of the batch have tau 0 and
            others not, or if the noise names no reference cells.
    """
    if not bool((noise.tau != 0).any()):
        return None
    if strain is None:
        raise ValueError("this score model knows no lattice noise: expected tau = 0, use a model with a strain score")
    if noise.reference is None or bool((noise.tau == 0).any()):
        raise ValueError("lattice noise needs a reference cell and tau above 0 for every crystal of the batch")
    return Score(atoms=torch.zeros_like(crystals.frac_coords), strain=strain(crystals, noise.reference, noise.tau))


class StrainScore(nn.Module):
    """The score ∂ log p / ∂S of a noised cell shape; the strain S is that of `chggen.diffusion.strain`.

    Args:
        features: Width of the network.
        layers: Number of exchanges among the lattice vectors.
    """

    def __init__(self, features: int, layers: int = 3) -> None:
        super().__init__()
        f = features
        self.register_buffer("steps", torch.tensor(_SHORT_VECTORS, dtype=torch.float32), persistent=False)
        self.steps: Tensor
        # Names of the parts below are keys of the weights in checkpoints.
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
        """Return the strain score.

        Args:
            crystals: Crystals in their noised cells. Of the atoms only the species are used.
            reference: The cell that the strain is counted from, rows of shape (crystals, 3, 3). It is scaled to the
                volume of the crystal and turned to it first.
            tau: Level of the noise on the shape, above 0 and up to 1, shape (crystals,).

        Returns:
            ∂ log p / ∂S without unit, symmetric and traceless, in Cartesian axes, shape (crystals, 3, 3).
        """
        reference, strain = aligned(reference, crystals.lattice)
        velocity = self._velocity(crystals, reference, strain, tau)
        # velocity = √(1 − τ²) s Z − τ S_0, bounded at either end (Salimans & Ho, ICLR 2022); s Z is the noise in S_τ.
        noise = tau[:, None, None] * strain + kept(tau)[:, None, None] * velocity
        return -noise / (tau * SPREAD**2)[:, None, None]

    def _velocity(self, crystals: Crystals, reference: Tensor, strain: Tensor, tau: Tensor) -> Tensor:
        """What the network predicts, (crystals, 3, 3): a mix of clean strain and noise that stays bounded in tau."""
        content = self._content(crystals) + self.level(tau)
        edge = torch.linalg.det(reference).abs()[:, None, None] ** (1 / 3)
        now, before = self.steps @ crystals.lattice / edge, self.steps @ reference / edge
        lengths = torch.stack([(now**2).sum(-1), (before**2).sum(-1), (now * before).sum(-1)], dim=-1)
        square = (strain @ strain).diagonal(dim1=-2, dim2=-1).sum(-1)[:, None, None].expand_as(lengths[..., :1])
        token = self.vector(torch.cat([lengths, square], dim=-1))  # the features of each lattice vector
        unit_now, unit_before = (v / torch.linalg.norm(v, dim=-1, keepdim=True).clamp(min=1e-3) for v in (now, before))
        # Squared, because a vector and its negative are the same lattice vector.
        cosines = torch.stack(
            [
                unit_now @ unit_now.transpose(-1, -2),
                unit_before @ unit_before.transpose(-1, -2),
                unit_now @ unit_before.transpose(-1, -2),
            ],
            dim=-1,
        ).square()
        for exchange, angle in zip(self.exchange, self.angle, strict=True):
            arriving = (angle(cosines) * token[:, None]).mean(2)
            everywhere = token.mean(1, keepdim=True).expand_as(token)
            seen = torch.cat([token, arriving, everywhere, content[:, None].expand_as(token)], dim=-1)
            token = token + exchange(seen)
        weight = self.weights(torch.cat([token, content[:, None].expand_as(token)], dim=-1))
        dyads = [(now, now), (before, before), (now, before)]
        total = sum(torch.einsum("ck,cki,ckj->cij", weight[..., n], a, b) for n, (a, b) in enumerate(dyads))
        own = self.along(torch.cat([token.mean(1), content], dim=-1))[:, :, None] * strain
        return traceless(total / len(_SHORT_VECTORS) + own) * SPREAD

    def _content(self, crystals: Crystals) -> Float[Tensor, "crystals features"]:
        """Features of the composition: each species with its share and count, seen together with the others."""
        index, n = crystals.crystal_index, crystals.n_crystals
        size = crystals.n_atoms.to(crystals.lattice)
        code = index * (MAX_ATOMIC_NUMBER + 1) + crystals.atomic_numbers
        kinds, count = torch.unique(code, return_counts=True)
        share = count / size[kinds // (MAX_ATOMIC_NUMBER + 1)]
        own = torch.stack([share, count.log(), size[kinds // (MAX_ATOMIC_NUMBER + 1)].log()], dim=-1)
        x = self.counted(torch.cat([self.species(kinds % (MAX_ATOMIC_NUMBER + 1)), own.to(share)], dim=-1))
        crystal, weight = kinds // (MAX_ATOMIC_NUMBER + 1), share[:, None]
        for layer in self.made_of:
            pooled = x.new_zeros(n, x.shape[1]).index_add(0, crystal, x * weight)
            x = x + layer(torch.cat([x, pooled[crystal]], dim=-1))
        return x.new_zeros(n, x.shape[1]).index_add(0, crystal, x * weight)


def _mlp(inputs: int, width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, width), Silu(), nn.Linear(width, outputs))
