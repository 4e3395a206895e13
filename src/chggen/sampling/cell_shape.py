"""Sampling of cell shapes with the strain score: the first half of sampling a crystal without a known cell.

The second half places the atoms in the cell. While the shape is noised the atoms are uniform in the cell (see
`chggen.diffusion.strain`), so the shape depends on the species alone.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Int

from chggen.crystals import SYMBOLS, Crystals
from chggen.diffusion import SPREAD, Noise, ScoreModel, isotropic_metric, kept, shape_noise, strained

_STEPS: Final = 32
_TOP: Final = 0.995  # τ of the first level, where a tenth of the clean strain is left, far less than the noise


@dataclass(frozen=True)
class ShapeSampler:
    """Draws cells for a composition with the strain score of a model.

    Attributes:
        score: A score model with a strain score, on the device.
        device: A device of torch, such as `cpu` or `cuda`.
    """

    score: ScoreModel
    device: str = "cpu"

    @torch.no_grad()
    def __call__(
        self,
        species: Mapping[str, int],
        volume: float,
        seed: int,
        rotations: Int[np.ndarray, "operations 3 3"] | None = None,
    ) -> Float[np.ndarray, "3 3"]:
        """Draw one cell.

        Args:
            species: Number of atoms of each element in the cell, by symbol.
            volume: Volume of the cell in Å³.
            seed: Seed of the random numbers.
            rotations: Rotations of a space group in lattice coordinates, acting on columns, shape (operations, 3, 3),
                as `chggen.symmetry.Group` has them. The noise is then projected on the strains that the group allows,
                and the cell belongs to its Bravais class. None for any cell.

        Returns:
            The cell, rows in Å, shape (3, 3). It is not reduced.
        """
        generator = torch.Generator("cpu").manual_seed(seed)
        given = np.eye(3)[None] if rotations is None else rotations.transpose(0, 2, 1)
        rows = torch.tensor(given, dtype=torch.float64)
        reference = torch.linalg.cholesky(isotropic_metric(rows))[None] * volume ** (1 / 3)
        turns = torch.linalg.inv(reference[0]) @ rows @ reference[0]

        def allowed(strain: torch.Tensor) -> torch.Tensor:
            mean: torch.Tensor = (turns.transpose(-1, -2) @ strain @ turns).mean(0, keepdim=True)
            return mean

        def noise() -> torch.Tensor:
            return allowed(shape_noise(torch.randn(1, 5, generator=generator, dtype=torch.float64)))

        crystals = _anywhere(species, reference)
        levels = torch.sin(torch.linspace(math.asin(_TOP), 0, _STEPS + 1, dtype=torch.float64))[:, None]
        strain = SPREAD * levels[0] * noise()
        for tau, lower in itertools.pairwise(levels):
            now = replace(crystals, lattice=strained(reference, strain)).to(self.device, torch.float32)
            level = Noise(sigma=torch.full((len(crystals.atomic_numbers),), torch.inf), tau=tau.float(),
                          reference=reference.float()).to(self.device)  # fmt: skip
            slope = self.score(now, level).strain
            assert slope is not None, "a model with a strain score was asked for"
            clean = allowed((strain + (tau * SPREAD) ** 2 * slope.double().cpu()) / kept(tau))
            left = kept(tau) / kept(lower)
            added = tau**2 - (left * lower) ** 2
            strain = (left * lower**2 * strain + kept(lower) * added * clean) / tau**2
            strain = strain + SPREAD * lower * torch.sqrt(added) / tau * noise()
        return strained(reference, strain)[0].numpy()


def _anywhere(species: Mapping[str, int], lattice: torch.Tensor) -> Crystals:
    """A crystal of these species in the cell (1, 3, 3), Å, with all atoms at the origin: positions do not matter."""
    numbers = torch.tensor([SYMBOLS.index(s) + 1 for s, n in species.items() for _ in range(n)])
    return Crystals(
        frac_coords=torch.zeros(len(numbers), 3, dtype=torch.float64),
        lattice=lattice,
        atomic_numbers=numbers,
        crystal_index=torch.zeros_like(numbers),
        guest=torch.ones_like(numbers, dtype=torch.bool),
    )
