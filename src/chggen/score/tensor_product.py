"""The convolution of equivariant networks: sums over neighbours of tensor products with spherical harmonics.

A message is h_sender ⊗ Y(r̂). Each path and channel of the product is weighted by a learned function of the distance.
That function is linear in its last layer. The harmonics of one neighbour's several images can therefore be summed
before the product is taken, so the cost grows with the distinct pairs of atoms, not with the edges.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch
from e3nn import o3
from jaxtyping import Float
from torch import Tensor, nn

from chggen.crystals import Pairs
from chggen.score.layers import Silu

_TYPICAL_NEIGHBOURS = 10.0  # messages start small but of order 1 in crystals of about 40 neighbours


@dataclass(frozen=True)
class Irrep:
    """Several copies of one irreducible representation. Features of this kind have shape (atoms, 2l+1, channels).

    Attributes:
        channels: Number of copies.
        l: Angular momentum: 0 for scalars, 1 for vectors.
        parity: Sign under inversion, 1 or -1.
    """

    channels: int
    l: int  # noqa: E741 (the field's own letter)
    parity: int

    @property
    def size(self) -> int:
        """Components of one copy, 2l + 1."""
        return 2 * self.l + 1


def harmonics_of(
    vector: Float[Tensor, "edges 3"], l_max: int
) -> tuple[Float[Tensor, "edges"], Float[Tensor, "edges components"]]:
    """Return the lengths of edges and their spherical harmonics.

    The harmonics are not those of unit vectors: they fall to 0 with the distance, so that nothing is singular at an
    overlap.

    Args:
        vector: Vectors of the edges in Å, of shape (edges, 3).
        l_max: Largest angular momentum.

    Returns:
        Lengths in Å, of shape (edges,), and components of all l, of shape (edges, (l_max + 1)²).
    """
    distance = torch.sqrt((vector * vector).sum(-1) + 1e-12)
    near_unit = vector / (distance + 0.01)[:, None]
    return distance, o3.spherical_harmonics(list(range(l_max + 1)), near_unit, False, "component")


def turns_of(turn: Float[Tensor, "turns 3 3"], irrep: Irrep) -> Float[Tensor, "turns components components"]:
    """Return what rotations, proper or not, do to the components of an irrep.

    They are read off the harmonics of some directions, which the rotations turn.

    Args:
        turn: Rotations that act on Cartesian columns, of shape (turns, 3, 3).
        irrep: The irrep.

    Returns:
        Matrices that act on columns of components, of shape (turns, 2l+1, 2l+1).
    """
    there = turn.double()
    points = torch.randn(4 * irrep.size, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(there)
    before = o3.spherical_harmonics(irrep.l, points, False, "component")
    after = o3.spherical_harmonics(irrep.l, points @ there.transpose(1, 2), False, "component")
    matrices = (torch.linalg.pinv(before) @ after).transpose(1, 2)
    if irrep.parity != (-1) ** irrep.l:
        matrices = matrices * torch.linalg.det(there)[:, None, None]
    return matrices.to(turn)


def length_of(x: Float[Tensor, "atoms components channels"]) -> Float[Tensor, "atoms channels"]:
    """Return the root mean square over the components of each tensor, made smooth at 0.

    Args:
        x: Features of one irrep, of shape (atoms, components, channels).
    """
    return torch.sqrt((x * x).mean(dim=1) + 1e-4)


class Convolution(nn.Module):
    """Sums over neighbours of h_sender ⊗ Y(r̂), along all paths that symmetry allows, mixed into the output irreps.

    A path leads from an input irrep through a harmonic to an output irrep.

    Args:
        inputs: Irreps of the features that the neighbours send.
        outputs: Irreps of the features that arrive.
        harmonics: Irreps of the spherical harmonics, one channel each, by rising l.
        widths: Sizes of the radial network: first the number of radial basis functions, then its layers.
    """

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
        """Return what arrives at each atom.

        Args:
            sent: Features of the sending atoms, one tensor for each input irrep, shape (atoms, 2l+1, channels).
            basis: Radial basis functions of the edges, shape (edges, basis).
            harmonics: Spherical harmonics of the edges, shape (edges, components of all l).
            pairs: The distinct pairs of atoms that the edges connect.

        Returns:
            Arriving features, one tensor for each output irrep, shape (atoms, 2l+1, channels).
        """
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
    """The paths from one input irrep through every harmonic to the output irreps, by Clebsch-Gordan coefficients."""

    def __init__(self, source: Irrep, outputs: list[Irrep], harmonics: list[Irrep], n_radial: int) -> None:
        super().__init__()
        paths = [
            (k, harmonic, out)
            for k, out in enumerate(outputs)
            for harmonic in harmonics
            if abs(source.l - harmonic.l) <= out.l <= source.l + harmonic.l
            and source.parity * harmonic.parity == out.parity
        ]
        coefficients = _coefficients(source, paths, len(harmonics))
        # Kept in float64 and out of the weights: a constant of nature, cast to the dtype of the features.
        self.register_buffer("coefficients", coefficients.flatten(1), persistent=False)
        self.coefficients: Tensor
        path_of_row = [p for p, (_, _, out) in enumerate(paths) for _ in range(out.size)]
        self.register_buffer("path_of_row", torch.tensor(path_of_row, dtype=torch.long), persistent=False)
        self.path_of_row: Tensor
        scale = 1 / math.sqrt(_TYPICAL_NEIGHBOURS * n_radial)
        self.filter = nn.Parameter(scale * torch.randn(n_radial, len(paths), source.channels))
        self.channels_into = [source.channels * sum(k == j for k, _, _ in paths) for j in range(len(outputs))]
        self.targets = [(k, out.size) for k, _, out in paths]

    def forward(self, x: Tensor, table: Tensor, sender: Tensor) -> list[tuple[int, Tensor]]:
        """For each path the number of its output irrep, and the sum (atoms, 2l+1, channels) over the neighbours.

        table has shape (atoms, radial functions · harmonic components, neighbours).
        """
        n, size, channels = x.shape
        n_radial = self.filter.shape[0]
        neighbours = x.flatten(1).index_select(0, sender.flatten()).view(n, -1, size * channels)
        met = (table @ neighbours).view(n * n_radial, -1, channels)  # rows: harmonic component, source component
        rows = (self.coefficients.to(x.dtype) @ met).view(n, n_radial, -1, channels)
        summed = (rows * self.filter[:, self.path_of_row]).sum(1)
        parts = summed.split([size for _, size in self.targets], dim=1)
        return [(k, part) for (k, _), part in zip(self.targets, parts, strict=True)]


def _coefficients(source: Irrep, paths: list[tuple[int, Irrep, Irrep]], n_harmonics: int) -> Tensor:
    """Clebsch-Gordan coefficients of the paths in float64, shape (output components, harmonics, input components)."""
    with torch.device("cpu"):  # not on the device `meta`, on which a network is built to see its size
        table = torch.zeros(sum(out.size for _, _, out in paths), n_harmonics**2, source.size, dtype=torch.float64)
        row = 0
        for _, harmonic, out in paths:
            w = o3.wigner_3j(source.l, harmonic.l, out.l, dtype=torch.float64) * math.sqrt(out.size)
            table[row : row + out.size, harmonic.l**2 : (harmonic.l + 1) ** 2] = w.permute(2, 1, 0)
            row += out.size
    return table
