"""Evaluation of a tensor-product network by few, large operations: the numbers of `NequipScore` in less time.

Modules are convenient to train and slow to call. For evaluation their weights are arranged once. What all layers do to
the edges is done for all of them together. Weights of the radial functions are applied before the Clebsch-Gordan
coefficients, which then act on an eighth of the numbers, and not at all on scalars.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor

from chggen.crystals import Crystals
from chggen.diffusion import AtomOrbits
from chggen.score.chunks import Chunk, Graph
from chggen.score.layers import LEAST_ROWS, silu
from chggen.score.neighbourhoods import Neighbourhoods
from chggen.score.neighbours import at_least
from chggen.score.replay import Replay
from chggen.score.tensor_product import harmonics_of, length_of

if TYPE_CHECKING:
    from chggen.score.nequip import NequipScore

_AT_ONCE: Final = 64  # atoms that receive at once on a CPU


class FusedNequip:
    """A `NequipScore` arranged for evaluation.

    Args:
        model: The network. Its weights are copied, so that later changes of them do not show.
        replays: Whether evaluations of a chunk are recorded and replayed, see `Replay`. None does so on a GPU.
    """

    def __init__(self, model: NequipScore, replays: bool | None = None) -> None:
        layers: list[Any] = list(model.layers)
        radial = [list(layer.convolution.radial) for layer in layers]
        self._species = model.species.weight
        self._embed = model.sigma.forward
        self._functions = model.basis.forward
        readout: list[Any] = list(model.readout)
        norm, inner, _, outer = readout
        self._norm = (norm.weight, norm.bias)
        self._inner, self._outer = _Affine(inner), _Affine(outer)
        self._direction = _transposed(model.direction)
        self._vector = model.vector
        self._l_max = model.options.l_max
        first = [step[0] for step in radial]
        self._radial = [torch.cat([_transposed(step[0]) for step in first], dim=1).contiguous()]
        for further in zip(*(steps[1:] for steps in radial), strict=True):
            self._radial.append(torch.block_diag(*(_transposed(step[0]) for step in further)))
        self._level = torch.cat([_transposed(layer.level) for layer in layers], dim=1).contiguous()
        self._level_bias = torch.cat([layer.level.bias for layer in layers])
        self._layers = [_Layer(layer, (self._l_max + 1) ** 2) for layer in layers]
        self._neighbourhoods = Neighbourhoods(model.options.cutoff, model.options.max_neighbours, model.irreps)
        self._replays = self._direction.is_cuda if replays is None else replays
        self._recorded: WeakKeyDictionary[Chunk, tuple[Tensor, Replay]] = WeakKeyDictionary()
        # Networks of even irreps alone know no reflections, and those that see the nearest atoms only no ties.
        self.uses_orbits = any(irrep.parity < 0 for irrep in model.irreps) and not model.options.max_neighbours

    def fits(self, like: Tensor) -> bool:
        """Return whether the weights are of the device and dtype of a tensor.

        Args:
            like: A tensor that goes into the network.
        """
        return self._direction.device == like.device and self._direction.dtype == like.dtype

    def __call__(
        self, crystals: Crystals, sigma: Float[Tensor, "atoms"], orbits: AtomOrbits | None = None
    ) -> Float[Tensor, "atoms 3"]:
        """Return the noise that the network finds in the positions.

        Args:
            crystals: A batch of crystals.
            sigma: Noise levels in Å, of shape (atoms,).
            orbits: Which atoms are images of each other; one of each orbit is then computed. None computes all.

        Returns:
            Predicted displacements in units of σ, Cartesian, of shape (atoms, 3).
        """
        found = torch.zeros_like(crystals.frac_coords)
        for chunk in self._neighbourhoods.chunks(crystals, orbits):
            mine = sigma[chunk.receivers]
            noisy = torch.nonzero(mine).flatten()
            if len(noisy):
                noise = self._evaluated(chunk, chunk.graph(crystals.frac_coords[chunk.atoms]), mine, noisy)
                found[chunk.receivers[noisy]] = noise[: len(noisy)]
        return found if orbits is None else torch.bmm(orbits.turn, found[orbits.representative, :, None])[..., 0]

    def _evaluated(self, chunk: Chunk, graph: Graph, sigma: Tensor, noisy: Tensor) -> Tensor:
        """Return the noise of the noisy atoms of a chunk, by a replay where that is the way."""
        if not self._replays or not chunk.keeps_slots:
            return self._noise(chunk.atomic_numbers, graph, sigma, noisy)
        before = self._recorded.get(chunk)
        if before is None or not before[1].fits(graph) or not torch.equal(before[0], noisy):
            numbers = chunk.atomic_numbers
            evaluate = partial(self._noise, numbers, noisy=noisy)
            before = noisy, Replay(evaluate, graph, sigma, rows=len(numbers) * graph.slots)
            self._recorded[chunk] = before
        return before[1](graph, sigma)

    def _noise(self, atomic_numbers: Tensor, graph: Graph, sigma: Tensor, noisy: Tensor) -> Tensor:
        """Return the noise of the noisy atoms of a chunk, which are all that the last layer is computed for."""
        atoms, count = len(atomic_numbers), len(self._layers)
        if missing := atoms - len(sigma):  # dummy atoms
            sigma = torch.cat([sigma, sigma.new_zeros(missing)])
        vector = graph.vector
        distance, harmonics = harmonics_of(vector, self._l_max)
        radial = self._functions(distance)
        for weight in self._radial:
            radial = silu(torch.mm(radial, weight))
        radial = radial.view(len(vector), count, -1, 1)
        level = self._embed(sigma)
        levels = torch.addmm(self._level_bias, level, self._level).view(atoms, count, -1)
        features = [self._species.index_select(0, atomic_numbers) + level]
        for k, layer in enumerate(self._layers):
            table = graph.table((radial[:, k] * harmonics[:, None, :]).view(len(vector), -1), atoms)
            last = k == count - 1 and len(noisy) < atoms
            features = layer(features, levels[:, k], table, graph, at_least(noisy, LEAST_ROWS) if last else None)
        vectors = features[self._vector]
        directed = torch.mm(vectors.view(-1, vectors.shape[-1]), self._direction).view(len(vectors), 3, -1)
        seen = torch.layer_norm(features[0], (features[0].shape[1],), *self._norm)
        return (directed * self._outer(silu(self._inner(seen)))[:, None, :]).sum(-1)


class _Affine:
    """A linear layer with a bias, by the arranged weight."""

    def __init__(self, linear: Any) -> None:
        self._weight, self._bias = _transposed(linear), linear.bias.detach()

    def __call__(self, x: Tensor) -> Tensor:
        return torch.addmm(self._bias, x, self._weight)


@dataclass(frozen=True)
class _Source:
    """What becomes of one input irrep on its way to the neighbours.

    A path leads from it through a harmonic to an output. Each harmonic has a first path, and may have others.
    """

    size: int
    channels: int
    send: Tensor  # [channels channels]
    first: Tensor  # weights of the first path of each harmonic, [radial harmonics size channels]
    others: Sequence[tuple[slice, Tensor]]  # components of the harmonic of a further path, and its weights
    coefficients: Tensor | None  # [1 rows columns], from weighted products to output components; None for scalars

    def __call__(self, x: Tensor, table: Tensor, senders: Tensor, spread: Callable[[Tensor], Tensor]) -> Tensor:
        """Return what arrives at the atoms of the table, of shape (atoms, output components, channels).

        `spread` takes what the receivers send to what all atoms send.

        Many atoms receive in turn, so that what is large meanwhile stays in the cache of the processor.
        """
        sent = spread(torch.mm(x.reshape(-1, self.channels), self.send).view(len(x), self.size, self.channels))
        if len(table) <= _AT_ONCE or table.is_cuda:
            return self._arrived(sent, table, senders)
        parts = zip(table.split(_AT_ONCE), senders.split(_AT_ONCE), strict=True)
        return torch.cat([self._arrived(sent, some, their) for some, their in parts])

    def _arrived(self, sent: Tensor, table: Tensor, senders: Tensor) -> Tensor:
        """Return what arrives at the atoms of a part of the table."""
        (atoms, slots), n_radial = senders.shape, self.first.shape[0]
        neighbours = sent.index_select(0, senders.flatten()).view(atoms, slots, -1)
        met = torch.bmm(table, neighbours).view(atoms, n_radial, -1, self.size, self.channels)
        weighted = (met * self.first).sum(1).view(atoms, -1, self.channels)
        if self.coefficients is None:
            return weighted
        if self.others:
            parts = [(met[:, :, which] * weight).sum(1).view(atoms, -1, self.channels) for which, weight in self.others]
            weighted = torch.cat([weighted, *parts], dim=1)
        return torch.bmm(self.coefficients.expand(atoms, -1, -1), weighted)


class _Layer:
    """A layer of the network: convolution and gated update, by the arranged weights."""

    def __init__(self, layer: Any, n_harmonics: int) -> None:
        convolution = layer.convolution
        self._norm = layer.norm
        self._sources = [
            _source(product, send, n_harmonics) for product, send in zip(convolution.products, layer.send, strict=True)
        ]
        self._parts: list[list[tuple[int, int, int]]] = [[] for _ in convolution.mix]  # source, first row, last row
        for i, product in enumerate(convolution.products):
            row = 0
            for k, size in product.targets:
                self._parts[k].append((i, row, row + size))
                row += size
        self._mix = [_transposed(linear) for linear in convolution.mix]
        self._sizes = [irrep.size for irrep in layer.hidden]
        self._channels = [irrep.channels for irrep in layer.hidden]
        self._gate_in, self._gate_out = _Affine(layer.gate[0]), _Affine(layer.gate[2])
        self._lengths = layer.lengths

    def __call__(
        self, features: Sequence[Tensor], level: Tensor, table: Tensor, graph: Graph, receivers: Tensor | None
    ) -> list[Tensor]:
        """Return the new features of the receivers, of all atoms where there are none."""
        width = features[0].shape[1]
        seen = torch.layer_norm(features[0], (width,), self._norm.weight, self._norm.bias) + level
        senders = graph.sender.view(-1, graph.slots)
        given = [seen, *features[1:]]
        if receivers is not None:
            table, senders = table.index_select(0, receivers), senders.index_select(0, receivers)
            features = [x.index_select(0, receivers) for x in features]
        scalars = features[0]
        atoms = len(scalars)
        rows = [
            source(x, table, senders, partial(graph.spread, irrep=k))
            for k, (source, x) in enumerate(zip(self._sources, given, strict=False))
        ]
        arrived = []
        for mix, size, parts in zip(self._mix, self._sizes, self._parts, strict=True):
            if not parts:
                arrived.append(scalars.new_zeros(atoms, size, mix.shape[1]))
                continue
            joined = torch.cat([rows[i][:, a:b] for i, a, b in parts], dim=-1)
            arrived.append(torch.mm(joined.view(atoms * size, -1), mix).view(atoms, size, -1))
        lengths = [length_of(x) for x in arrived[1:]] if self._lengths else []
        known = torch.cat([scalars, arrived[0].view(atoms, -1), *lengths], dim=-1)
        update = self._gate_out(silu(self._gate_in(known)))
        gates = torch.sigmoid(update[:, None, width:]).split(self._channels[1:], dim=-1)
        changed = [scalars + update[:, :width]]
        for k, (gate, x) in enumerate(zip(gates, arrived[1:], strict=True), 1):
            changed.append(torch.addcmul(features[k], gate, x) if k < len(features) else gate * x)
        return changed


def _source(product: Any, send: Any, n_harmonics: int) -> _Source:
    """Arrange the paths of one input irrep."""
    weights = product.filter.detach()  # [radial paths channels]
    like = weights
    coefficients = product.coefficients.view(len(product.coefficients), n_harmonics, -1)  # float64
    rows, size = len(coefficients), coefficients.shape[2]
    # Repeated for each component, so that products with them run over long rows of numbers.
    first = weights.new_zeros(weights.shape[0], n_harmonics, size, weights.shape[2])
    columns = [torch.zeros_like(coefficients)]
    others: list[tuple[slice, Tensor]] = []
    taken: set[int] = set()
    row = 0
    for path, (_, out_size) in enumerate(product.targets):
        block = slice(row, row + out_size)
        row += out_size
        l = math.isqrt(int(coefficients[block].abs().sum((0, 2)).nonzero()[0]))  # noqa: E741
        harmonic = slice(l * l, (l + 1) ** 2)
        if l not in taken:
            taken.add(l)
            first[:, harmonic] = weights[:, path, None, None]
            columns[0][block, harmonic] = coefficients[block, harmonic]
            continue
        others.append((harmonic, weights[:, path, None, None].expand(-1, 2 * l + 1, size, -1).contiguous()))
        further = coefficients.new_zeros(rows, 2 * l + 1, size)
        further[block] = coefficients[block, harmonic]
        columns.append(further)
    matrix: Tensor | None = torch.cat([part.flatten(1) for part in columns], dim=1).to(like)
    assert matrix is not None
    if size == 1 and rows == n_harmonics and not others and torch.equal(matrix, matrix.diagonal().diag()):
        first = first * matrix.diagonal()[:, None, None]  # scalars: each harmonic is an output, up to a factor
        matrix = None
    return _Source(
        size=size,
        channels=weights.shape[2],
        send=_transposed(send),
        first=first.contiguous(),
        others=others,
        coefficients=None if matrix is None else matrix[None].contiguous(),
    )


def _transposed(linear: Any) -> Tensor:
    """Return the weight of a linear layer as products of rows take it."""
    return linear.weight.detach().T.contiguous()
