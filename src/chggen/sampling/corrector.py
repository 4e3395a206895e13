"""The Langevin corrector: steps at a fixed noise level that bring the sample closer to the law of that level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Langevin:
    """Langevin steps x + ε g + √(2ε) z, with score g and standard normal noise z (the paper's corrector).

    The step size is ε = 2 (snr · rms|z| / rms|g|)², at most σ². The root mean squares are taken over the moving atoms
    of each crystal. A norm over all components at once would make steps smaller in larger crystals, and one over the
    batch would make crystals depend on each other. rms|z| is √3 for free atoms and less for atoms on orbits.

    Attributes:
        n_steps: Steps at each level; 0 for no corrector.
        snr: Signal-to-noise ratio, which sets the step size.
    """

    n_steps: int = 1
    snr: float = 0.4

    def step_size(
        self,
        score: Float[Tensor, "atoms 3"],
        moves: Bool[Tensor, "atoms"],
        sigma: Float[Tensor, "atoms"],
        crystal_index: Int[Tensor, "atoms"],
        n_crystals: int,
        freedom: Float[Tensor, "atoms"],
    ) -> Float[Tensor, "atoms"]:
        """Return the step size of each atom's crystal.

        Args:
            score: Scores in 1/Å, shape (atoms, 3).
            moves: True for the atoms that move, the guests, shape (atoms,).
            sigma: Level of each atom's crystal in Å, shape (atoms,).
            crystal_index: Crystal of each atom, shape (atoms,).
            n_crystals: Number of crystals.
            freedom: Mean square length of the standard normal noise on each atom, shape (atoms,); see
                `Symmetry.freedom`.

        Returns:
            ε in Å², shape (atoms,).
        """
        zeros = torch.zeros(n_crystals, dtype=score.dtype, device=score.device)
        moving = moves.to(score.dtype)
        squares = zeros.index_add(0, crystal_index, (score**2).sum(-1) * moving).clamp(min=1e-20)
        noise = zeros.index_add(0, crystal_index, freedom * moving)
        return torch.minimum(2 * self.snr**2 * (noise / squares)[crystal_index], sigma**2)


NO_CORRECTOR: Final = Langevin(n_steps=0)
