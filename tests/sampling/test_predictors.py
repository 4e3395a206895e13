"""Predictors against the Gaussian they are exact for, and the step size of the Langevin corrector."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch

from chggen.sampling.corrector import Langevin
from chggen.sampling.predictors import Ancestral, Heun, History, Multistep, Predictor, ProbabilityFlow, Refresh

SIGMA, TARGET = 2.0, 1.6


def _full(value: float, n: int) -> torch.Tensor:
    return torch.full((n,), value, dtype=torch.float64)


@dataclass
class Cloud:
    """Atoms in open space under a given score, in place of a running sample."""

    x: torch.Tensor
    law: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # positions, sigma → score
    draws: torch.Generator = field(default_factory=lambda: torch.Generator().manual_seed(0))
    asked: int = 0
    held_at: float = -1.0

    def score(self, sigma: torch.Tensor) -> torch.Tensor:
        self.asked += 1
        return self.law(self.x, sigma[:, None])

    def noise(self) -> torch.Tensor:
        return torch.randn(self.x.shape, generator=self.draws, dtype=torch.float64)

    def move(self, step: torch.Tensor, sigma: torch.Tensor) -> None:
        self.x = self.x + step
        self.held_at = float(sigma[0])


WIDTH = 0.7  # of the data in the Gaussian law, Å


def _gaussian(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    return -x / (WIDTH**2 + sigma**2)


def _point(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    return -(x - torch.tensor([0.3, 0.2, 0.1], dtype=torch.float64)) / sigma**2


def _from(x: list[float], n: int, law: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Cloud:
    return Cloud(torch.tensor(x, dtype=torch.float64).repeat(n, 1), law)


def _walk(predictor: Predictor, cloud: Cloud, levels: torch.Tensor) -> Cloud:
    memory: History | None = None
    for high, low in itertools.pairwise(levels):
        memory = predictor(cloud, high.expand(len(cloud.x)), low.expand(len(cloud.x)), memory)
    return cloud


def test_the_ancestral_step_draws_from_the_exact_posterior_of_a_known_point() -> None:
    # With x₀ known, p(x_target | x_sigma, x₀) is normal with mean x₀ + (x − x₀) t²/s² and variance t²(s² − t²)/s².
    n = 200_000
    cloud = _from([1.0, -3.0, 0.5], n, lambda x, sigma: -x / sigma**2)
    before = cloud.x[0]
    Ancestral()(cloud, _full(SIGMA, n), _full(TARGET, n), None)
    assert torch.allclose(cloud.x.mean(0), before * TARGET**2 / SIGMA**2, atol=0.01)
    assert cloud.x.std(0).mean() == pytest.approx(TARGET * (1 - TARGET**2 / SIGMA**2) ** 0.5, rel=0.01)


def test_a_refreshing_step_forgets_the_noise_it_came_with() -> None:
    n = 200_000
    cloud = _from([1.0, -3.0, 0.5], n, _point)
    Refresh()(cloud, _full(SIGMA, n), _full(TARGET, n), None)
    assert torch.allclose(cloud.x.mean(0), torch.tensor([0.3, 0.2, 0.1], dtype=torch.float64), atol=0.02)
    assert cloud.x.std(0).mean() == pytest.approx(TARGET, rel=0.01)


def test_refreshing_over_and_over_settles_at_half_the_temperature() -> None:
    levels = torch.full((400,), 0.1 * WIDTH, dtype=torch.float64)
    cloud = _walk(Refresh(), _from([0.0, 0.0, 0.0], 20_000, _gaussian), levels)
    assert cloud.x.std() == pytest.approx(WIDTH / 2**0.5, rel=0.02)


ALL = [Ancestral(), Refresh(), ProbabilityFlow(), Heun(), Heun(churn=0.2), Multistep()]


@pytest.mark.parametrize("predictor", ALL)
def test_the_last_step_of_each_is_tweedies_mean_and_ends_clean(predictor: Predictor) -> None:
    cloud = _from([1.0, -3.0, 0.5], 2, _point)
    predictor(cloud, _full(SIGMA, 2), _full(0.0, 2), None)
    assert torch.allclose(cloud.x, torch.tensor([0.3, 0.2, 0.1], dtype=torch.float64).expand(2, 3))
    assert cloud.asked == 1
    assert cloud.held_at == 0


def _ladder(n: int) -> torch.Tensor:
    return torch.cat([torch.logspace(0.5, -1.5, n, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)])


def _error_of_flow(predictor: Predictor, n: int) -> float:
    """Distance from where the flow leads: x(σ) ∝ √(d² + σ²) for data N(0, d²)."""
    levels = _ladder(n)[:-1]
    cloud = _walk(predictor, _from([1.0, 1.0, 1.0], 1, _gaussian), levels)
    exact = ((WIDTH**2 + levels[-1] ** 2) / (WIDTH**2 + levels[0] ** 2)) ** 0.5
    return abs(float(cloud.x[0, 0] / exact) - 1)


@pytest.mark.parametrize(("predictor", "order"), [(ProbabilityFlow(), 1), (Heun(), 2), (Multistep(), 2)])
def test_flow_predictors_converge_with_their_order(predictor: Predictor, order: int) -> None:
    coarse, fine = _error_of_flow(predictor, 41), _error_of_flow(predictor, 81)
    assert fine < 0.02
    assert coarse / fine == pytest.approx(2**order, rel=0.25)


def test_second_order_beats_the_euler_step_at_equal_evaluations() -> None:
    euler = _error_of_flow(ProbabilityFlow(), 41)
    assert _error_of_flow(Multistep(), 41) < euler / 5
    assert _error_of_flow(Heun(), 21) < euler / 2


def test_flow_predictors_draw_no_noise() -> None:
    for predictor in (ProbabilityFlow(), Heun(), Multistep()):
        cloud = _from([1.0, 2.0, 3.0], 1, _gaussian)
        state = cloud.draws.get_state()
        _walk(predictor, cloud, _ladder(5))
        assert torch.equal(cloud.draws.get_state(), state)


def test_churned_heun_keeps_the_moments_of_its_law() -> None:
    n = 20_000
    start = _from([0.0, 0.0, 0.0], n, _gaussian)
    levels = _ladder(60)
    start.x = (WIDTH**2 + levels[0] ** 2) ** 0.5 * start.noise()
    assert _walk(Heun(churn=0.1), start, levels).x.std() == pytest.approx(WIDTH, rel=0.02)


def _random_score(n: int, seed: int) -> torch.Tensor:
    return torch.randn(n, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_corrector_step_is_the_papers_formula_over_the_moving_atoms() -> None:
    score = _random_score(6, 0)
    moves = torch.tensor([True, True, False, True, False, True])
    size = Langevin(snr=0.1).step_size(score, moves, _full(50.0, 6), torch.zeros(6, dtype=torch.long), 1, _full(3.0, 6))
    mean_square = (score[moves] ** 2).sum(-1).mean()
    assert torch.allclose(size, 2 * (3**0.5 * 0.1) ** 2 / mean_square)
    louder = torch.where(moves[:, None], score, 1e3 * score)
    assert torch.equal(
        size, Langevin(snr=0.1).step_size(louder, moves, _full(50.0, 6), torch.zeros(6).long(), 1, _full(3.0, 6))
    )


def test_the_corrector_step_depends_neither_on_batch_mates_nor_on_the_number_of_atoms() -> None:
    langevin = Langevin(snr=0.2)
    small, mate = _random_score(5, 1), 40 * _random_score(9, 2)
    index = torch.tensor([0] * 5 + [1] * 9)
    alone = langevin.step_size(small, torch.ones(5).bool(), _full(9.0, 5), index[:5], 1, _full(3.0, 5))
    both = langevin.step_size(torch.cat([small, mate]), torch.ones(14).bool(), _full(9.0, 14), index, 2, _full(3.0, 14))
    assert torch.equal(both[:5], alone)
    assert both[5] < both[0] / 100
    eightfold = langevin.step_size(
        small.repeat(8, 1), torch.ones(40).bool(), _full(9.0, 40), torch.zeros(40).long(), 1, _full(3.0, 40)
    )
    assert eightfold[0] == pytest.approx(float(alone[0]), rel=1e-12)


def test_the_corrector_step_is_capped_at_the_variance_of_the_level() -> None:
    sigma = torch.tensor([0.5, 0.5, 2.0], dtype=torch.float64)
    index = torch.tensor([0, 0, 1])
    size = Langevin(snr=0.4).step_size(
        torch.zeros(3, 3, dtype=torch.float64), torch.ones(3).bool(), sigma, index, 2, _full(3.0, 3)
    )
    assert torch.equal(size, sigma**2)


def test_a_crystal_without_moving_atoms_gives_finite_steps() -> None:
    score = torch.zeros(2, 3, dtype=torch.float64)
    size = Langevin().step_size(score, torch.zeros(2).bool(), _full(1.0, 2), torch.zeros(2).long(), 1, _full(3.0, 2))
    assert torch.isfinite(size).all()
