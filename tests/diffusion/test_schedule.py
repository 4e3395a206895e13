"""Ladders of sigmas."""

from __future__ import annotations

import pytest
import torch

from chggen.diffusion.noise import wrapped_normal_score
from chggen.diffusion.schedule import Schedule, sigma_max


@pytest.fixture
def lattices() -> torch.Tensor:
    skewed = torch.tensor([[6.0, 0, 0], [4.0, 5.0, 0], [0, 0, 5.0]])
    return torch.stack([4 * torch.eye(3), skewed, 60 * torch.eye(3), 0.01 * torch.eye(3)]).double()


def test_ladders_fall_geometrically_from_each_crystals_top_to_zero(lattices: torch.Tensor) -> None:
    ladder = Schedule(n_levels=12, smallest=0.02, largest=8.0).sigmas(lattices)
    assert ladder.shape == (13, 4)
    assert torch.equal(ladder[-1], torch.zeros(4, dtype=torch.float64))
    assert ladder[0].tolist() == pytest.approx([2.0, float(sigma_max(lattices, 8.0)[1]), 8.0, 0.04])
    assert ladder[-2].tolist() == pytest.approx([0.02] * 4)
    ratio = ladder[1:-1] / ladder[:-2]
    assert torch.allclose(ratio, ratio[:1].expand_as(ratio))
    assert bool((ratio < 1).all())


def test_a_knee_gathers_levels_above_it(lattices: torch.Tensor) -> None:
    ladder = Schedule(n_levels=41, largest=3.0, knee=0.3, share=0.75).sigmas(lattices)
    assert ladder.shape == (42, 4)
    assert bool((ladder[1:] < ladder[:-1]).all())
    assert ladder[0].tolist() == pytest.approx([2.0, float(sigma_max(lattices, 3.0)[1]), 3.0, 0.02])
    assert ladder[-2].tolist() == pytest.approx([0.01] * 4)
    assert ladder[30, :3].tolist() == pytest.approx([0.3] * 3)
    for part in (ladder[:31], ladder[30:-1]):
        ratio = part[1:] / part[:-1]
        assert torch.allclose(ratio, ratio[:1].expand_as(ratio))
    with pytest.raises(ValueError, match="a knee lies between"):
        Schedule(n_levels=9, largest=3.0, knee=4.0)


@pytest.mark.parametrize("which", [0, 1])
def test_noise_at_the_top_has_forgotten_its_start(lattices: torch.Tensor, which: int) -> None:
    lattice = lattices[which : which + 1]
    level = sigma_max(lattice, 10.0)
    anywhere = torch.rand(200, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) @ lattice[0]
    index = torch.zeros(200, dtype=torch.long)
    score = wrapped_normal_score(anywhere, level.expand(200).contiguous(), lattice, index)
    # A density 1 + 2 × 0.7 % cos(2πx/d) along each axis: σ |∇ log p| is at most about 0.08.
    assert float((level * score.norm(dim=-1)).max()) < 0.08
    halved = wrapped_normal_score(anywhere, level.expand(200) / 2, lattice, index)
    assert float((level / 2 * halved.norm(dim=-1)).max()) > 0.3


@pytest.mark.parametrize(
    "options", [{"n_levels": 1}, {"n_levels": 5, "smallest": 0.0}, {"n_levels": 5, "smallest": 2.0, "largest": 1.0}]
)
def test_impossible_schedules_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="a schedule needs"):
        Schedule(**options)
