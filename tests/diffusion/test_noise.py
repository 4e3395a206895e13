"""The wrapped-normal score against the gradient of the mixture's log-density, and the loss by hand."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from chggen.diffusion.noise import matching_loss, without_translation, wrapped_normal_score

_SKEWED = torch.tensor([[3.0, 0.0, 0.0], [2.4, 3.1, 0.0], [-2.2, 1.4, 5.0]], dtype=torch.float64)
_BRUTE = torch.tensor(list(itertools.product(range(-16, 17), repeat=3)), dtype=torch.float64) @ _SKEWED


def _gradient_of_log_density(displacement: Tensor, sigma: float) -> Tensor:
    """By autograd through the sum over a box of images far larger than the noise."""
    x = displacement.clone().requires_grad_()
    squared = ((x[:, None, :] + _BRUTE) ** 2).sum(-1)
    return torch.autograd.grad(torch.logsumexp(-0.5 * squared / sigma**2, dim=1).sum(), x)[0]


def _displacements(n: int, sigma: float) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    near = sigma * torch.randn(n, 3, dtype=torch.float64, generator=generator)
    anywhere = torch.rand(n, 3, dtype=torch.float64, generator=generator) @ _SKEWED
    faces = torch.tensor([[0.5, 0, 0], [0.5, 0.5, 0.5], [0, 0.499, 0.5]], dtype=torch.float64) @ _SKEWED
    return torch.cat([near, anywhere, faces])


@pytest.mark.parametrize("sigma", [0.02, 0.3, 1.0, 2.0, 3.0, 5.0])
def test_score_is_the_gradient_of_the_wrapped_log_density(sigma: float) -> None:
    displacement = _displacements(6, sigma)
    n = len(displacement)
    found = wrapped_normal_score(
        displacement, torch.full((n,), sigma, dtype=torch.float64), _SKEWED[None], torch.zeros(n, dtype=torch.long)
    )
    expected = _gradient_of_log_density(displacement, sigma)
    # The tail left out of the sum is of order exp(-4.5²/2) = 4e-5 of the nearest-image score, displacement / σ².
    assert torch.allclose(sigma * found, sigma * expected, atol=5e-4, rtol=1e-4)


def test_score_at_small_noise_is_that_of_the_nearest_image() -> None:
    step = torch.tensor([[0.01, -0.02, 0.005]], dtype=torch.float64)
    through = step + torch.tensor([[2.0, -1.0, 1.0]], dtype=torch.float64) @ _SKEWED
    sigma = torch.tensor([0.02], dtype=torch.float64)
    found = wrapped_normal_score(through, sigma, _SKEWED[None], torch.tensor([0]))
    assert torch.allclose(found, -step / 0.02**2, rtol=1e-8)


def test_levels_and_cells_of_a_batch_do_not_mix() -> None:
    lattice = torch.stack([_SKEWED, 2.0 * torch.eye(3, dtype=torch.float64)])
    index = torch.tensor([0, 0, 0, 1, 1])
    sigma = torch.tensor([0.1, 3.0, 0.0, 1.5, 0.0], dtype=torch.float64)
    step = torch.tensor([[0.1, 0, 0], [1, 2, -1], [0.4, 0.2, 0.1], [0.3, 0.9, -0.7], [0, 0, 0]], dtype=torch.float64)
    together = wrapped_normal_score(step, sigma, lattice, index)
    for a in range(5):
        alone = wrapped_normal_score(step[a : a + 1], sigma[a : a + 1], lattice[index[a : a + 1]], torch.tensor([0]))
        assert torch.allclose(together[a], alone[0], atol=5e-5)
    assert torch.equal(together[sigma == 0], torch.zeros(2, 3, dtype=torch.float64))


def test_single_precision_agrees_with_double() -> None:
    displacement = _displacements(5, 1.0)
    n = len(displacement)
    index = torch.zeros(n, dtype=torch.long)
    levels = torch.logspace(-2.3, 0.7, n, dtype=torch.float64)
    displacement = displacement / displacement.norm(dim=-1, keepdim=True) * levels[:, None]
    double = wrapped_normal_score(displacement, levels, _SKEWED[None], index) * levels[:, None]
    single = wrapped_normal_score(displacement.float(), levels.float(), _SKEWED[None].float(), index)
    assert torch.allclose(single.double() * levels[:, None], double, atol=2e-4)


def test_moving_crystals_have_no_summed_score_and_held_ones_stay() -> None:
    generator = torch.Generator().manual_seed(0)
    score = torch.randn(7, 3, dtype=torch.float64, generator=generator)
    index = torch.tensor([0, 0, 0, 1, 1, 2, 2])
    sigma = torch.tensor([1.0, 1.0, 1.0, 0.5, 0.0, 0.1, 0.3], dtype=torch.float64)
    found = without_translation(score, sigma, index, 3)
    assert torch.allclose(found[:3], score[:3] - score[:3].mean(0))
    assert torch.equal(found[3:5], score[3:5])
    assert torch.allclose(found[5:].sum(0), torch.zeros(3, dtype=torch.float64), atol=1e-12)
    taken = score[5:] - found[5:]  # shares of the precision: 100 to 11.1
    assert torch.allclose(taken[0] / taken[1], torch.full((3,), 9.0, dtype=torch.float64))


def test_matching_loss_by_hand() -> None:
    score = torch.tensor([[1.0, 0, 0], [0, 2.0, 0], [5.0, 5, 5], [0, 0, 1.0]])
    target = torch.tensor([[0.0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 4.0]])
    sigma = torch.tensor([2.0, 0.5, 0.0, 1.0])
    loss = matching_loss(score, target, sigma, torch.tensor([0, 0, 0, 1]), 3)
    # Crystal 0: (2·1)² and (0.5·2)² over its two moving atoms; crystal 1: 3²; crystal 2 has no atoms.
    assert loss.tolist() == [2.5, 9.0, 0.0]


def test_the_zero_score_costs_one_per_component_at_small_noise() -> None:
    n = 4000
    step = 0.05 * torch.randn(n, 3, generator=torch.Generator().manual_seed(2))
    sigma = torch.full((n,), 0.05)
    index = torch.zeros(n, dtype=torch.long)
    target = wrapped_normal_score(step, sigma, _SKEWED[None].float(), index)
    loss = matching_loss(torch.zeros(n, 3), target, sigma, index, 1)
    assert float(loss) == pytest.approx(3.0, abs=0.15)  # standard error 0.04
