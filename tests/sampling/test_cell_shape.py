"""Shapes from noise, with exact scores of known laws; and joint laws of shape and positions, shape first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from chggen.crystals.batch import Crystals
from chggen.diffusion.schedule import Schedule
from chggen.diffusion.score_model import Noise, Score
from chggen.diffusion.strain import SPREAD, aligned, kept
from chggen.sampling.cell_shape import ShapeSampler
from chggen.sampling.random_numbers import generators_from
from chggen.sampling.sampler import sample
from chggen.symmetry.wyckoff import setting

CUBE = torch.eye(3, dtype=torch.float64)[None]
LONG = 0.4 * torch.diag(torch.tensor([2.0, -1.0, -1.0], dtype=torch.float64))  # along x


@dataclass(frozen=True)
class Shapes:
    """Exact strain score of normal laws of equal width around shapes, each with its weight."""

    centres: torch.Tensor
    weights: tuple[float, ...]
    width: float

    def __call__(self, crystals: Crystals, noise: Noise) -> Score:
        assert noise.reference is not None
        _, strain = aligned(noise.reference, crystals.lattice)
        variance = kept(noise.tau) ** 2 * self.width**2 + noise.tau**2 * SPREAD**2
        off = strain[:, None] - kept(noise.tau)[:, None, None, None] * self.centres.to(strain)
        log = torch.tensor(self.weights).log() - (off**2).sum((-1, -2)) / (2 * variance[:, None])
        share = torch.softmax(log, dim=-1)
        slope = -(share[..., None, None] * off).sum(1) / variance[:, None, None]
        return Score(atoms=torch.zeros_like(crystals.frac_coords), strain=slope)


def _strains(law: Callable[..., Score], n: int, **options: object) -> torch.Tensor:
    sampler = ShapeSampler(law)
    cells = np.array([sampler({"H": 2}, 64.0, seed, **options) for seed in range(n)])
    assert np.abs(np.linalg.det(cells)) == pytest.approx(64.0)
    return aligned(CUBE.expand(n, 3, 3), torch.tensor(cells))[1]


def test_a_normal_law_of_shapes_comes_back_with_its_width() -> None:
    strain = _strains(Shapes(torch.zeros(1, 3, 3), (1.0,), 0.1), 120)
    spread = float((strain**2).sum((1, 2)).mean() / 5) ** 0.5
    assert spread == pytest.approx(0.1, rel=0.15)  # a finite ladder narrows it
    assert strain.mean(0).abs().max() < 0.02


def test_two_shapes_come_back_with_their_weights() -> None:
    strain = _strains(Shapes(torch.stack([LONG, -LONG]), (0.3, 0.7), 0.05), 150)
    first = strain[:, 0, 0] > 0
    assert float(first.double().mean()) == pytest.approx(0.3, abs=0.08)
    assert float(strain[first, 0, 0].mean()) == pytest.approx(0.8, abs=0.02)
    assert float(strain[~first, 0, 0].mean()) == pytest.approx(-0.8, abs=0.02)


@dataclass(frozen=True)
class Joint:
    """Shapes, and positions that depend on them: an atom's distance from the origin along x is a tenth of the cell's
    length when that is long, four tenths when it is short."""

    shapes: Shapes

    def __call__(self, crystals: Crystals, noise: Noise) -> Score:
        if bool((noise.tau > 0).all()):
            return self.shapes(crystals, noise)
        length = torch.linalg.norm(crystals.lattice, dim=-1)
        place = torch.where(length[:, 0] > length[:, 1], 0.1, 0.4)[crystals.crystal_index].to(crystals.frac_coords)
        off = crystals.frac_coords - torch.stack([place, place * 0, place * 0], dim=-1)
        off = torch.einsum("ai,aij->aj", off - off.round(), crystals.lattice[crystals.crystal_index])
        return Score(atoms=-off / (noise.sigma[:, None] ** 2 + 0.05**2))


def test_shape_first_gives_a_joint_law_of_shape_and_positions() -> None:
    law = Joint(Shapes(torch.stack([LONG, -LONG]), (0.5, 0.5), 0.05))
    n = 80
    cells = torch.tensor(np.array([ShapeSampler(law)({"H": 1}, 64.0, seed) for seed in range(n)]))
    crystals = Crystals(
        frac_coords=torch.zeros(n, 3, dtype=torch.float64),
        lattice=cells,
        atomic_numbers=torch.ones(n, dtype=torch.long),
        crystal_index=torch.arange(n),
        guest=torch.ones(n, dtype=torch.bool),
    )
    made = sample(law, crystals, Schedule(n_levels=40, smallest=0.02), generators=generators_from(range(n)))
    long = torch.linalg.norm(cells, dim=-1).argmax(1) == 0
    assert 0.35 < float(long.double().mean()) < 0.65
    expected = torch.where(long, 0.1, 0.4).double()
    off = made.frac_coords[:, 0] - expected
    assert float((off - off.round()).abs().median()) < 0.03
    assert float(((off - off.round()).abs() < 0.1).double().mean()) > 0.95


@pytest.mark.parametrize("number", [63, 139, 166, 194, 225])
def test_shapes_of_a_space_group_keep_its_bravais_class(number: int) -> None:
    rotations = setting(number).group.rotations
    law = Shapes(torch.zeros(1, 3, 3), (1.0,), 0.2)
    cells = [ShapeSampler(law)({"H": 2}, 64.0, seed, rotations) for seed in range(4)]
    for cell in cells:
        metric = cell @ cell.T
        rows = rotations.transpose(0, 2, 1)
        assert np.abs(rows @ metric @ rows.transpose(0, 2, 1) - metric).max() < 1e-9
    spread = max(np.abs(a @ a.T - b @ b.T).max() for a in cells for b in cells)
    assert (spread < 1e-9) == (number == 225)  # a cubic cell of a volume has no other shape


def test_a_cell_depends_on_its_seed_alone() -> None:
    sampler = ShapeSampler(Shapes(torch.zeros(1, 3, 3), (1.0,), 0.2))
    one, again, other = (sampler({"H": 2}, 64.0, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 1e-3
