"""A score network of tensor-product convolutions (NequIP, Batzner et al., Nature Communications 13, 2453, 2022).

Which symmetry it has depends on the hidden irreps (irreducible representations). With odd ones among them, spherical
harmonics carry their true parity and the score turns and mirrors with the crystal: E(3). With even ones only, as in the
paper's released example, the harmonics count as even too. A mirror image may then get another score: SE(3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

import torch
from e3nn import o3
from jaxtyping import Float
from torch import Tensor, nn

from chggen.crystals import Crystals, Pairs, pairs_of
from chggen.diffusion import AtomOrbits, Noise, Score
from chggen.errors import InputError
from chggen.io import Between, check_limits
from chggen.score.cell_shape import StrainScore, score_of_shape
from chggen.score.fused import FusedNequip
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
from chggen.score.neighbours import neighbours
from chggen.score.tensor_product import Convolution, Irrep, harmonics_of, length_of

_MAX_L: Final = 6  # from there on a network takes minutes to build
_MAX_RADIAL_LAYERS: Final = 8
_MAX_NOTATION: Final = 200


@dataclass(frozen=True, kw_only=True)
class NequipOptions:
    """Architecture options of `NequipScore`.

    Attributes:
        hidden: Irreps of the features of an atom, in the notation of e3nn: `16x1o` is 16 odd vectors.
        layers: Number of convolutions.
        cutoff: Distance in Å within which atoms see each other.
        l_max: Largest angular momentum of the spherical harmonics.
        n_basis: Number of Bessel functions of the distance.
        radial_mlp: Widths of the layers of the radial network that follows the Bessel functions.
        max_neighbours: Keep only so many nearest neighbours of each atom; 0 keeps all. With a limit the score jumps
            where two neighbours swap places in the order of distance.
        sigma_input: `embedding` shows the noise level to the network. `none` hides it, as in the paper: the level then
            only divides the output.
        lengths: Show the lengths of arriving vectors and tensors to the update of an atom, besides the scalars. One
            layer then sees the angles between neighbours, for which it takes two otherwise.
        strain_features: Width of the strain score, the score of cell shapes; 0 for a network without one.

    Raises:
        InputError: If a number is outside its limits, or sigma_input is unknown.
    """

    hidden: str = "64x0e+32x1o+16x2e"
    layers: Annotated[int, Between(1, MAX_LAYERS)] = 3
    cutoff: Annotated[float, Between(MIN_CUTOFF, MAX_CUTOFF)] = 5.5
    l_max: Annotated[int, Between(1, _MAX_L)] = 2
    n_basis: Annotated[int, Between(1, MAX_WIDTH)] = 24
    radial_mlp: Annotated[tuple[int, ...], Between(1, MAX_WIDTH)] = (32, 8)
    max_neighbours: Annotated[int, Between(0, 10**6)] = 0
    sigma_input: str = "embedding"
    lengths: bool = False
    strain_features: Annotated[int, Between(0, MAX_WIDTH)] = 0

    def __post_init__(self) -> None:
        check_limits(self)
        if not 1 <= len(self.radial_mlp) <= _MAX_RADIAL_LAYERS:
            raise InputError(f"radial_mlp must have 1 to {_MAX_RADIAL_LAYERS} widths, got {len(self.radial_mlp)}")
        if len(self.hidden) > _MAX_NOTATION:
            raise InputError(f"hidden must be irreps of at most {_MAX_NOTATION} letters, got {len(self.hidden)}")
        if self.sigma_input not in ("embedding", "none"):
            raise InputError(f"sigma_input must be 'embedding' or 'none', got {self.sigma_input!r:.60}")


class NequipScore(nn.Module):
    """A `ScoreModel` of tensor-product convolutions.

    Args:
        options: The architecture.

    Attributes:
        options: The architecture, as written into checkpoints.
        strain: The strain score, or None for a network without one.

    Raises:
        InputError: If the options make no network: irreps that cannot be read, that appear twice, that lack scalars or
            vectors, or that are too many or too large.
    """

    def __init__(self, options: NequipOptions) -> None:
        super().__init__()
        self.options = options
        hidden = _hidden_irreps(options)
        width = hidden[0].channels
        even = all(irrep.parity == 1 for irrep in hidden)
        harmonics = [Irrep(1, k, 1 if even else (-1) ** k) for k in range(options.l_max + 1)]
        self.vector = next(i for i, irrep in enumerate(hidden) if irrep.l == 1 and (even or irrep.parity == -1))
        self.irreps = hidden
        self.species = nn.Embedding(MAX_ATOMIC_NUMBER + 1, width)
        self.sigma = SigmaEmbedding(width) if options.sigma_input == "embedding" else _NoLevel(width)
        self.basis = RadialBasis(options.n_basis, options.cutoff)
        self.layers = nn.ModuleList(
            _Layer([Irrep(width, 0, 1)] if k == 0 else hidden, hidden, harmonics, options)
            for k in range(options.layers)
        )
        channels = hidden[self.vector].channels
        self.readout = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), Silu(), nn.Linear(width, channels))
        self.direction = nn.Linear(channels, channels, bias=False)
        self.strain = StrainScore(options.strain_features) if options.strain_features else None
        self._arranged: FusedNequip | None = None

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
        arranged = self._arranged
        if arranged is not None and not torch.is_grad_enabled() and arranged.fits(crystals.frac_coords):
            return Score(atoms=score_from_noise(arranged(crystals, noise.sigma), noise.sigma))
        n_atoms = len(crystals.atomic_numbers)
        crystals, noise = padded(crystals, noise)
        edges, vector = neighbours(crystals, self.options.cutoff, self.options.max_neighbours)
        pairs = pairs_of(edges, len(crystals.atomic_numbers))
        predicted = self._noise(crystals.atomic_numbers, noise.sigma, vector, pairs)
        return Score(atoms=score_from_noise(predicted, noise.sigma)[:n_atoms])

    def of_orbits(self, crystals: Crystals, noise: Noise, orbits: AtomOrbits) -> Score:
        """Return the score of symmetric crystals, up to rounding, for the price of one atom of each orbit.

        Args:
            crystals: The noisy crystals, whose positions have the symmetry exactly.
            noise: Their noise levels, the same for all atoms of an orbit; no lattice is noised.
            orbits: Which of their atoms are images of each other.
        """
        arranged = self._arranged
        if arranged is None or not arranged.uses_orbits or not arranged.fits(crystals.frac_coords):
            found: Score = self(crystals, noise)
            return found
        with torch.no_grad():
            return Score(atoms=score_from_noise(arranged(crystals, noise.sigma, orbits), noise.sigma))

    def arrange(self) -> None:
        """Arrange the weights as they are now for fast evaluation without gradients; see `FusedNequip`."""
        self._arranged = FusedNequip(self)

    def release(self) -> None:
        """Evaluate by modules again, as after a change of the weights."""
        self._arranged = None

    def _noise(self, atomic_numbers: Tensor, sigma: Tensor, vector: Tensor, pairs: Pairs) -> Tensor:
        """Return the predicted displacements in units of σ, Cartesian, of shape (atoms, 3)."""
        distance, harmonics = harmonics_of(vector, self.options.l_max)
        basis = self.basis(distance)
        level = self.sigma(sigma)
        features = [(self.species(atomic_numbers) + level)[:, None, :]]
        for layer in self.layers:
            features = layer(features, level, basis, harmonics, pairs)
        gate = self.readout(features[0].squeeze(1))
        return (self.direction(features[self.vector]) * gate[:, None, :]).sum(-1)


class _NoLevel(nn.Module):
    """Zeros in place of the noise embedding, for a network that does not see σ."""

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.n_features = n_features

    def forward(self, sigma: Float[Tensor, "atoms"]) -> Float[Tensor, "atoms features"]:
        return sigma.new_zeros(len(sigma), self.n_features)


class _Layer(nn.Module):
    """A layer: a convolution over the neighbours, then a gated update of each atom, added to its old features."""

    def __init__(
        self, inputs: list[Irrep], hidden: list[Irrep], harmonics: list[Irrep], options: NequipOptions
    ) -> None:
        super().__init__()
        width = hidden[0].channels
        self.norm = nn.LayerNorm(width)
        self.level = nn.Linear(width, width)
        self.send = nn.ModuleList(nn.Linear(i.channels, i.channels, bias=False) for i in inputs)
        self.convolution = Convolution(inputs, hidden, harmonics, (options.n_basis, *options.radial_mlp))
        gates = sum(i.channels for i in hidden[1:])
        self.lengths = options.lengths
        seen = 2 * width + (gates if options.lengths else 0)
        self.gate = nn.Sequential(nn.Linear(seen, width), Silu(), nn.Linear(width, width + gates))
        self.hidden = hidden

    def forward(
        self, features: list[Tensor], level: Tensor, basis: Tensor, harmonics: Tensor, pairs: Pairs
    ) -> list[Tensor]:
        seen = (self.norm(features[0]) + self.level(level)[:, None, :], *features[1:])
        sent = [linear(x) for linear, x in zip(self.send, seen, strict=True)]
        arrived = self.convolution(sent, basis, harmonics, pairs)
        lengths = [length_of(x)[:, None] for x in arrived[1:]] if self.lengths else []
        scalars = torch.cat([features[0], arrived[0], *lengths], dim=-1)
        update, *gates = self.gate(scalars).split([i.channels for i in self.hidden], dim=-1)
        gated = [update, *(torch.sigmoid(g) * x for g, x in zip(gates, arrived[1:], strict=True))]
        known = len(features)  # the first layer starts from scalars alone
        return [x + features[k] if k < known else x for k, x in enumerate(gated)]


def _hidden_irreps(options: NequipOptions) -> list[Irrep]:
    """The hidden irreps by rising l, scalars first. Raises InputError for options that make no network."""
    try:
        irreps = o3.Irreps(options.hidden)
    except Exception:  # e3nn raises ValueError, AssertionError and others for a text that it cannot read
        raise InputError(f"model.hidden must be irreps such as 64x0e+32x1o+16x2e, got '{options.hidden}'") from None
    if too_large := [i for i in irreps if not 1 <= i.mul <= MAX_WIDTH or i.ir.l > _MAX_L]:
        raise InputError(
            f"model.hidden needs 1 to {MAX_WIDTH} copies of each irrep, l up to {_MAX_L}; got {too_large[0]}"
        )
    hidden = sorted((Irrep(mul, ir.l, ir.p) for mul, ir in irreps), key=lambda i: (i.l, -i.parity))
    kinds = [(i.l, i.parity) for i in hidden]
    vector = (1, -1 if any(p == -1 for _, p in kinds) else 1)
    if len(set(kinds)) < len(kinds) or (0, 1) not in kinds or vector not in kinds:
        raise InputError(
            f"model.hidden needs each irrep once, scalars (0e) and vectors (1o; 1e if all are even): '{options.hidden}'"
        )
    return hidden
