"""The convolution of equivariant networks: sums over neighbours of tensor products with spherical harmonics.

Messages are h_sender ⊗ Y(r̂), weighted for each path and channel by a learned function of the distance. That function
is linear in the last layer of its radial network, so the messages of one neighbour seen through several images are
summed before the product is taken: a convolution costs what the distinct pairs cost, not what the edges do.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch
from e3nn import o3
from torch import Tensor, nn

from chggen.crystals import Pairs
from chggen.score.layers import Silu

_TYPICAL_NEIGHBOURS = 10.0  # messages start small but of order 1 in crystals of about 40 neighbours


@dataclass(frozen=True)
class Irrep:
    """`channels` copies of the representation of angular momentum l and parity ±1; tensors (atoms, 2l+1, channels)."""

    channels: int
    l: int  # noqa: E741 (the field's own letter)
    parity: int

    @property
    def size(self) -> int:
        return 2 * self.l + 1


class Convolution(nn.Module):
    """Sum over neighbours of h_sender ⊗ Y ⊗ radial functions along all allowed paths, mixed into the output irreps."""

    def __init__(
        self, inputs: list[Irrep], outputs: list[Irrep], harmonics: list[Irrep], widths: tuple[int, ...]
    ) -> None:
        super().__init__()
        layers = [nn.Sequential(nn.Linear(a, b, bias=False), Silu()) for a, b in itertools.pairwise(widths)]
        self.radial = nn.Sequential(*layers)  # no biases: it vanishes with the basis at the cutoff
        products = [_Product(i, outputs, harmonics, widths[-1]) for i in inputs]
        self.products = nn.ModuleList(products)
        arriving = [sum(p.channels_into[k] for p in products) for k in range(len(outputs))]
        mixing = [nn.Linear(max(n, 1), o.channels, bias=False) for n, o in zip(arriving, outputs, strict=True)]
        for linear in mixing:
            nn.init.normal_(linear.weight, std=1 / math.sqrt(linear.in_features))
        self.mix = nn.ModuleList(mixing)
        self._outputs = outputs

    def forward(self, sent: list[Tensor], basis: Tensor, harmonics: Tensor, pairs: Pairs) -> list[Tensor]:
        radial = self.radial(basis)
        table = pairs.sum((radial[:, :, None] * harmonics[:, None, :]).flatten(1)).transpose(1, 2)
        parts: list[list[Tensor]] = [[] for _ in self._outputs]
        for product, x in zip(self.products, sent, strict=True):
            for k, part in product(x, table, pairs.sender):
                parts[k].append(part)
        n = len(pairs.sender)
        return [
            mix(torch.cat(part, dim=-1)) if part else table.new_zeros(n, o.size, o.channels)
            for mix, part, o in zip(self.mix, parts, self._outputs, strict=True)
        ]


class _Product(nn.Module):
    """Paths from one input irrep through every harmonic into the output irreps, by Clebsch-Gordan coefficients."""

    def __init__(self, source: Irrep, outputs: list[Irrep], harmonics: list[Irrep], n_radial: int) -> None:
        super().__init__()
        paths = [
            (k, harmonic, out)
            for k, out in enumerate(outputs)
            for harmonic in harmonics
            if abs(source.l - harmonic.l) <= out.l <= source.l + harmonic.l
            and source.parity * harmonic.parity == out.parity
        ]
        start = {h.l: h.l**2 for h in harmonics}
        coefficients = torch.zeros(
            sum(out.size for _, _, out in paths), len(harmonics) ** 2, source.size, dtype=torch.float64
        )
        row = 0
        for _, harmonic, out in paths:
            w = o3.wigner_3j(source.l, harmonic.l, out.l, dtype=torch.float64) * math.sqrt(out.size)
            columns = slice(start[harmonic.l], start[harmonic.l] + harmonic.size)
            coefficients[row : row + out.size, columns] = w.permute(2, 1, 0)
            row += out.size
        # Kept in float64 and out of the weights: a constant of nature, cast to the dtype of the features.
        self.register_buffer("coefficients", coefficients.flatten(1), persistent=False)
        self.coefficients: Tensor
        path_of_row = [p for p, (_, _, out) in enumerate(paths) for _ in range(out.size)]
        self.register_buffer("path_of_row", torch.tensor(path_of_row, dtype=torch.long), persistent=False)
        self.path_of_row: Tensor
        scale = 1 / math.sqrt(_TYPICAL_NEIGHBOURS * n_radial)
        self.filter = nn.Parameter(scale * torch.randn(n_radial, len(paths), source.channels))
        self.channels_into = [source.channels * sum(k == j for k, _, _ in paths) for j in range(len(outputs))]
        self._targets = [(k, out.size) for k, _, out in paths]

    def forward(self, x: Tensor, table: Tensor, sender: Tensor) -> list[tuple[int, Tensor]]:
        """(output irrep, (atoms, 2l+1, channels)) of each path; table is (atoms, radial · harmonics, slots)."""
        n, size, channels = x.shape
        n_radial = self.filter.shape[0]
        neighbours = x.flatten(1).index_select(0, sender.flatten()).view(n, -1, size * channels)
        met = (table @ neighbours).view(n * n_radial, -1, channels)  # rows: harmonic component, source component
        rows = (self.coefficients.to(x.dtype) @ met).view(n, n_radial, -1, channels)
        summed = (rows * self.filter[:, self.path_of_row]).sum(1)
        parts = summed.split([size for _, size in self._targets], dim=1)
        return [(k, part) for (k, _), part in zip(self._targets, parts, strict=True)]
