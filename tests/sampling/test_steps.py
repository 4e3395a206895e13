"""Predictors against the Gaussian they are exact for, and the step size of the Langevin corrector."""

from __future__ import annotations

import itertools

import pytest
import torch

from chggen.sampling.steps import Ancestral, Langevin, ProbabilityFlow

SIGMA, TARGET = 2.0, 1.6


def _full(value: float, n: int) -> torch.Tensor:
    return torch.full((n,), value, dtype=torch.float64)


def test_the_ancestral_step_draws_from_the_exact_posterior_of_a_known_point() -> None:
    # With x₀ known, p(x_target | x_sigma, x₀) is normal with mean x₀ + (x − x₀) t²/s² and variance t²(s² − t²)/s².
    n = 200_000
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(n, 3, generator=generator, dtype=torch.float64)
    x = torch.tensor([1.0, -3.0, 0.5], dtype=torch.float64).expand(n, 3)  # x₀ at the origin
    stepped = x + Ancestral()(-x / SIGMA**2, noise, _full(SIGMA, n), _full(TARGET, n))
    assert torch.allclose(stepped.mean(0), x[0] * TARGET**2 / SIGMA**2, atol=0.01)
    assert stepped.std(0).mean() == pytest.approx(TARGET * (1 - TARGET**2 / SIGMA**2) ** 0.5, rel=0.01)


def test_the_last_ancestral_step_is_tweedies_mean() -> None:
    x = torch.tensor([[1.0, -3.0, 0.5]], dtype=torch.float64)
    x0 = torch.tensor([[0.3, 0.2, 0.1]], dtype=torch.float64)
    step = Ancestral()(-(x - x0) / SIGMA**2, torch.randn(1, 3, dtype=torch.float64), _full(SIGMA, 1), _full(0.0, 1))
    assert torch.allclose(x + step, x0)


def test_probability_flow_steps_converge_to_the_scaling_it_solves() -> None:
    # For data N(0, d²) the flow is x(σ) ∝ √(d² + σ²); the noise handed in takes no part.
    d, n = 0.7, 4000
    x = torch.ones(1, 3, dtype=torch.float64)
    levels = torch.linspace(3.0, 0.0, n + 1, dtype=torch.float64)
    for high, low in itertools.pairwise(levels):
        noise = torch.full((1, 3), torch.nan, dtype=torch.float64)
        x = x + ProbabilityFlow()(-x / (d**2 + high**2), noise, high[None], low[None])
    assert x[0, 0] == pytest.approx(d / (d**2 + 9) ** 0.5, rel=2e-3)


def _random_score(n: int, seed: int) -> torch.Tensor:
    return torch.randn(n, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_corrector_step_is_the_papers_formula_over_the_moving_atoms() -> None:
    score = _random_score(6, 0)
    moves = torch.tensor([True, True, False, True, False, True])
    size = Langevin(snr=0.1).step_size(score, moves, _full(50.0, 6), torch.zeros(6, dtype=torch.long), 1)
    mean_square = (score[moves] ** 2).sum(-1).mean()
    assert torch.allclose(size, 2 * (3**0.5 * 0.1) ** 2 / mean_square)
    louder = torch.where(moves[:, None], score, 1e3 * score)
    assert torch.equal(size, Langevin(snr=0.1).step_size(louder, moves, _full(50.0, 6), torch.zeros(6).long(), 1))


def test_the_corrector_step_depends_neither_on_batch_mates_nor_on_the_number_of_atoms() -> None:
    langevin = Langevin(snr=0.2)
    small, mate = _random_score(5, 1), 40 * _random_score(9, 2)
    index = torch.tensor([0] * 5 + [1] * 9)
    alone = langevin.step_size(small, torch.ones(5).bool(), _full(9.0, 5), index[:5], 1)
    both = langevin.step_size(torch.cat([small, mate]), torch.ones(14).bool(), _full(9.0, 14), index, 2)
    assert torch.equal(both[:5], alone)
    assert both[5] < both[0] / 100
    eightfold = langevin.step_size(small.repeat(8, 1), torch.ones(40).bool(), _full(9.0, 40), torch.zeros(40).long(), 1)
    assert eightfold[0] == pytest.approx(float(alone[0]), rel=1e-12)


def test_the_corrector_step_is_capped_at_the_variance_of_the_level() -> None:
    sigma = torch.tensor([0.5, 0.5, 2.0], dtype=torch.float64)
    index = torch.tensor([0, 0, 1])
    size = Langevin(snr=0.4).step_size(torch.zeros(3, 3, dtype=torch.float64), torch.ones(3).bool(), sigma, index, 2)
    assert torch.equal(size, sigma**2)


def test_a_crystal_without_moving_atoms_gives_finite_steps() -> None:
    score = torch.zeros(2, 3, dtype=torch.float64)
    size = Langevin().step_size(score, torch.zeros(2).bool(), _full(1.0, 2), torch.zeros(2).long(), 1)
    assert torch.isfinite(size).all()
