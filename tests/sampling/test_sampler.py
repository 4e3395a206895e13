"""The denoising loop against laws whose answers are known, and what it must leave alone.

The toy: atoms of a joint Gaussian in a periodic cell, with its exact score at any noise of each atom.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from chggen.crystals.batch import Crystals, collate
from chggen.diffusion.schedule import Schedule
from chggen.diffusion.score_model import Noise, Score
from chggen.sampling.anchor import Anchor, Clamp, Renoise
from chggen.sampling.corrector import NO_CORRECTOR, Langevin
from chggen.sampling.predictors import Ancestral, Predictor, ProbabilityFlow
from chggen.sampling.random_numbers import generators_from
from chggen.sampling.recipes import Recipe, recipe
from chggen.sampling.resampling import Walk
from chggen.sampling.sampler import sample

EDGE = 20.0  # Å
CENTER = 10.0
HOST = 1.5  # where the host atom stands, from the centre
CONDITIONAL = (1.350, 0.436)  # mean and sd of the guest given the host, at correlation 0.9


IMAGES = 2  # lattice images each way: at sigma = EDGE / 2 the next ones weigh 1e-5


@dataclass(frozen=True)
class ExactScore:
    """Score, on the torus, of groups of atoms jointly normal around the centre, each Cartesian component alike."""

    covariance: tuple[tuple[float, ...], ...]  # Å², between the atoms of a group

    def __call__(self, crystals: Crystals, noise: Noise) -> Score:
        size = len(self.covariance)
        sigma = noise.sigma.double().reshape(-1, size)
        precision = torch.linalg.inv(torch.tensor(self.covariance, dtype=torch.float64) + torch.diag_embed(sigma**2))
        off = (crystals.cart_coords.double() - CENTER).reshape(-1, size, 3).transpose(1, 2)
        shifts = EDGE * torch.arange(-IMAGES, IMAGES + 1, dtype=torch.float64)
        images = off[:, :, None] + torch.cartesian_prod(*[shifts] * size).reshape(-1, size)
        pull = torch.einsum("gcia,gab->gcib", images, precision)
        weights = torch.softmax(-0.5 * (pull * images).sum(-1), dim=-1)
        score = -(weights[..., None] * pull).sum(2).transpose(1, 2).reshape(-1, 3)
        return Score(atoms=(score * (noise.sigma > 0)[:, None]).to(crystals.frac_coords))


PAIR = ExactScore(((1.0, 0.9), (0.9, 1.0)))


def _lone_atoms(n_crystals: int) -> Crystals:
    return Crystals(
        frac_coords=torch.zeros(n_crystals, 3, dtype=torch.float64),
        lattice=EDGE * torch.eye(3, dtype=torch.float64).repeat(n_crystals, 1, 1),
        atomic_numbers=torch.full((n_crystals,), 3),
        crystal_index=torch.arange(n_crystals),
        guest=torch.ones(n_crystals, dtype=torch.bool),
    )


def _pairs(n_crystals: int, pairs_each: int) -> Crystals:
    """Crystals of pairs of a host atom at HOST in every component, and a guest."""
    n = 2 * n_crystals * pairs_each
    host = torch.arange(n) % 2 == 0
    stand = torch.where(host, (CENTER + HOST) / EDGE, 0.0).double()
    return Crystals(
        frac_coords=stand[:, None].repeat(1, 3),
        lattice=EDGE * torch.eye(3, dtype=torch.float64).repeat(n_crystals, 1, 1),
        atomic_numbers=torch.full((n,), 3),
        crystal_index=torch.arange(n) // (2 * pairs_each),
        guest=~host,
    )


def _guest_moments(crystals: Crystals) -> tuple[float, float]:
    """Mean and sd of the guests' components from the centre, Å."""
    off = (crystals.cart_coords - CENTER)[crystals.guest]
    return float(off.mean()), float(off.std())


def _sampled(crystals: Crystals, schedule: Schedule, score: ExactScore = PAIR, **options: object) -> Crystals:
    generators = generators_from(range(crystals.n_crystals))
    return sample(score, crystals, schedule, generators=generators, **options)


ALONE = ExactScore(((0.5,),))
FINE = Schedule(n_levels=100, smallest=0.05)


def _sd_of_the_chain(sd: float) -> float:
    """What the ancestral steps down FINE make of a Gaussian of this sd: a finite ladder narrows it a little."""
    levels = FINE.sigmas(EDGE * torch.eye(3, dtype=torch.float64)[None])[:, 0].tolist()
    variance = EDGE**2 / 12
    for high, low in itertools.pairwise(levels):
        gap = high**2 - low**2
        variance = (1 - gap / (sd**2 + high**2)) ** 2 * variance + low**2 * gap / high**2
    return variance**0.5


@pytest.mark.parametrize("predictor", [Ancestral(), ProbabilityFlow()])
def test_an_exact_score_gives_the_moments_of_its_law(predictor: Predictor) -> None:
    out = _sampled(_lone_atoms(2000), FINE, ALONE, predictor=predictor)
    mean, sd = _guest_moments(out)
    assert mean == pytest.approx(0, abs=0.03)
    assert sd == pytest.approx(0.5**0.5, rel=0.05)
    if isinstance(predictor, Ancestral):
        assert sd == pytest.approx(_sd_of_the_chain(0.5**0.5), rel=0.02)


@pytest.mark.parametrize("snr", [0.1, 0.4])
def test_the_corrector_keeps_the_moments(snr: float) -> None:
    crystals = _pairs(20, 50)
    everything = replace(crystals, guest=torch.ones_like(crystals.guest))
    mean, sd = _guest_moments(_sampled(everything, FINE, ALONE, corrector=Langevin(n_steps=2, snr=snr)))
    assert mean == pytest.approx(0, abs=0.03)
    assert sd == pytest.approx(0.5**0.5, rel=0.04)


def test_moving_pairs_keep_their_correlation() -> None:
    crystals = _pairs(10, 100)
    out = _sampled(replace(crystals, guest=torch.ones_like(crystals.guest)), FINE)
    off = (out.cart_coords - CENTER).reshape(-1, 2, 3)
    assert float(off.std()) == pytest.approx(1, rel=0.05)
    assert float((off[:, 0] * off[:, 1]).mean()) == pytest.approx(0.9, abs=0.08)


@pytest.mark.parametrize("corrector", [NO_CORRECTOR, Langevin(n_steps=1, snr=0.2)])
def test_a_clamped_host_with_the_conditional_score_gives_the_exact_conditional(corrector: Langevin) -> None:
    mean, sd = _guest_moments(_sampled(_pairs(20, 50), FINE, anchor=Clamp(), corrector=corrector))
    assert mean == pytest.approx(CONDITIONAL[0], abs=0.03)
    corrected = corrector is not NO_CORRECTOR
    assert sd == pytest.approx(CONDITIONAL[1] if corrected else _sd_of_the_chain(CONDITIONAL[1]), rel=0.03)
    assert sd == pytest.approx(CONDITIONAL[1], rel=0.06)


def test_a_renoised_host_with_resampling_comes_close_to_the_conditional() -> None:
    walk = Walk(n_resample=10, jump_length=10)
    mean, sd = _guest_moments(_sampled(_pairs(10, 50), Schedule(n_levels=60), anchor=Renoise(), walk=walk))
    assert mean == pytest.approx(CONDITIONAL[0], abs=0.08)
    assert sd == pytest.approx(CONDITIONAL[1], rel=0.06)


@dataclass(frozen=True)
class Overwritten:
    """What is wrong: the clean host put in place while the network is asked for the joint score."""

    def hold(self, crystals: Crystals, host: Crystals, sigma: torch.Tensor, noise: object) -> Crystals:
        return crystals

    def levels(self, crystals: Crystals, sigma: torch.Tensor) -> torch.Tensor:
        return sigma


@pytest.mark.parametrize("anchor", [Overwritten(), Renoise()])
def test_control_without_resampling_a_joint_score_misses_the_conditional(anchor: Anchor) -> None:
    mean, sd = _guest_moments(_sampled(_pairs(20, 50), FINE, anchor=anchor))
    assert mean < 1.15
    assert sd > 0.48


@pytest.mark.parametrize("name", ["de-novo", "clamp", "renoise", "paper"])
def test_the_host_comes_back_bit_for_bit_and_nothing_else_changes(name: str) -> None:
    crystals = _pairs(3, 4)
    out = recipe(name, levels=6).run(PAIR, crystals, [5, 6, 7])
    host = ~crystals.guest
    assert torch.equal(out.frac_coords[host], crystals.frac_coords[host])
    for kept in ("lattice", "atomic_numbers", "crystal_index", "guest"):
        assert torch.equal(getattr(out, kept), getattr(crystals, kept))
    assert out.frac_coords.dtype == torch.float64
    assert ((out.frac_coords >= 0) & (out.frac_coords < 1)).all()
    assert (out.frac_coords[crystals.guest] != crystals.frac_coords[crystals.guest]).all()


@dataclass(frozen=True)
class Careless(Clamp):
    """An anchor that lets the host drift, at the clean level too."""

    def hold(self, crystals: Crystals, host: Crystals, sigma: torch.Tensor, noise: object) -> Crystals:
        drift = torch.where(crystals.guest, 0.0, 0.1)[:, None].expand(-1, 3)
        return crystals.moved(drift.to(crystals.frac_coords))


def test_no_anchor_can_spoil_the_host_that_comes_back() -> None:
    crystals = _pairs(2, 3)
    out = _sampled(crystals, Schedule(n_levels=3), anchor=Careless())
    assert torch.equal(out.frac_coords[~crystals.guest], crystals.frac_coords[~crystals.guest])


def test_the_input_positions_of_guests_do_not_matter() -> None:
    crystals = _pairs(2, 3)
    elsewhere = replace(crystals, frac_coords=torch.where(crystals.guest[:, None], 0.3, crystals.frac_coords))
    run = recipe("renoise", levels=5).run
    assert torch.equal(run(PAIR, crystals, [1, 2]).frac_coords, run(PAIR, elsewhere, [1, 2]).frac_coords)


def test_guests_start_uniform_in_the_cell() -> None:
    seen: list[torch.Tensor] = []

    def spy(crystals: Crystals, noise: Noise) -> Score:
        seen.append(crystals.frac_coords)
        return Score(atoms=torch.zeros_like(crystals.frac_coords))

    _sampled(_lone_atoms(3000), Schedule(n_levels=2), spy)
    counts = torch.stack([torch.histc(seen[0][:, k], bins=10, min=0, max=1) for k in range(3)])
    assert (counts - 300).abs().max() < 5 * 300**0.5


def test_perturbed_guests_start_near_where_they_stand() -> None:
    """After one step from 0.2 Å the law around the given places is normal of that width, and hosts stay."""
    crystals = replace(_lone_atoms(2000), frac_coords=torch.full((2000, 3), 0.37, dtype=torch.float64))
    seen: list[torch.Tensor] = []

    def spy(crystals: Crystals, noise: Noise) -> Score:
        seen.append(crystals.frac_coords)
        return Score(atoms=torch.zeros_like(crystals.frac_coords))

    _sampled(crystals, Schedule(n_levels=2, largest=0.2), spy, perturb=True)
    off = EDGE * (seen[0] - 0.37)
    assert abs(float(off.mean())) < 0.01
    assert float(off.std()) == pytest.approx(0.2, rel=0.05)


@dataclass
class Counting:
    """A score model that counts how often it is asked, and keeps the levels it is told of."""

    model: Callable[[Crystals, Noise], Score]
    sigmas: list[torch.Tensor]
    crystals: int = 0

    def __call__(self, crystals: Crystals, noise: Noise) -> Score:
        self.sigmas.append(noise.sigma)
        self.crystals += crystals.n_crystals
        return self.model(crystals, noise)


@pytest.mark.parametrize("name", ["de-novo", "clamp", "renoise", "paper"])
def test_evaluations_are_what_the_recipe_says(name: str) -> None:
    made = recipe(name, levels=12, best_of=1)
    counting = Counting(PAIR, [])
    made.run(counting, _pairs(1, 1), [0])
    down = [target for level, target in made.walk.steps(12) if target > level]
    into_clean = sum(target == 12 for target in down)  # nothing is left to correct there
    assert len(counting.sigmas) == len(down) * (1 + made.corrector.n_steps) - into_clean * made.corrector.n_steps
    assert counting.sigmas
    assert all((sigma[1::2] > 0).all() for sigma in counting.sigmas)
    if isinstance(made.anchor, Clamp):
        assert all((sigma[::2] == 0).all() for sigma in counting.sigmas)
    else:
        assert all(torch.equal(sigma[::2], sigma[1::2]) for sigma in counting.sigmas)


@pytest.mark.parametrize(("quality", "evaluations"), [("fast", 50), ("best", 140)])
@pytest.mark.parametrize("name", ["de-novo", "clamp", "renoise"])
@pytest.mark.parametrize("best_of", [None, 1])
def test_a_quality_is_a_number_of_evaluations(name: str, quality: str, evaluations: int, best_of: int | None) -> None:
    counting = Counting(PAIR, [])
    made = recipe(name, quality=quality, best_of=best_of)
    made = replace(made, choice=replace(made.choice, enough=None), settling=None)  # as where all are needed
    made.run(counting, _pairs(1, 1), [0])
    assert counting.crystals == evaluations


def test_a_refreshed_guest_seeks_the_mode_of_the_conditional() -> None:
    out = recipe("clamp", best_of=1).run(PAIR, _pairs(20, 50), range(20))
    mean, sd = _guest_moments(out)
    assert mean == pytest.approx(CONDITIONAL[0], abs=0.03)
    assert CONDITIONAL[1] / 2 < sd < 0.8 * CONDITIONAL[1]  # narrower than the law, as it says; not a single point


def test_a_renoised_host_carries_the_level_the_network_is_asked_at() -> None:
    spread: list[tuple[float, float]] = []

    def spy(crystals: Crystals, noise: Noise) -> Score:
        host = crystals.cart_coords[::2] - (CENTER + HOST)
        spread.append((float(noise.sigma[0]), float((host - EDGE * (host / EDGE).round()).std())))
        return Score(atoms=torch.zeros_like(crystals.frac_coords))

    schedule = Schedule(n_levels=8, largest=2.0)
    _sampled(_pairs(2, 1000), schedule, spy, anchor=Renoise(), walk=Walk(n_resample=2, jump_length=3))
    assert len(spread) == 16
    assert min(told for told, _ in spread) == pytest.approx(0.01, rel=1e-5)
    for told, measured in spread:
        assert measured == pytest.approx(told, rel=0.04)


def test_a_jump_up_adds_what_the_variances_lack() -> None:
    # The score pulls every guest on to its point at once, so that only noise of the levels in between is left.
    def to_the_centre(crystals: Crystals, noise: Noise) -> Score:
        off = crystals.cart_coords - CENTER
        seen.append((float(noise.sigma[0]), float((off - EDGE * (off / EDGE).round()).std())))
        return Score(atoms=-(off - EDGE * (off / EDGE).round()) / noise.sigma[:, None] ** 2)

    seen: list[tuple[float, float]] = []
    schedule = Schedule(n_levels=4, largest=2.0)
    out = _sampled(_lone_atoms(3000), schedule, to_the_centre, walk=Walk(n_resample=3, jump_length=2))
    assert len(seen) == 12
    for told, measured in seen[2:]:  # the first two remember the uniform start, which is wider than the top level
        assert measured == pytest.approx(told, rel=0.05)
    assert _guest_moments(out)[1] < 1e-4


def _small_hosts() -> list[Crystals]:
    """Three hosts of other sizes and cells, with Li guests."""
    made = []
    for n_host, n_guest, edge in ((4, 1, 5.0), (7, 3, 6.5), (2, 2, 4.2)):
        rng = np.random.default_rng(n_host)
        n = n_host + n_guest
        made.append(
            Crystals(
                frac_coords=torch.from_numpy(rng.random((n, 3))),
                lattice=torch.from_numpy(edge * np.eye(3) + rng.normal(0, 0.3, (3, 3)))[None],
                atomic_numbers=torch.tensor([8] * n_host + [3] * n_guest),
                crystal_index=torch.zeros(n, dtype=torch.long),
                guest=torch.arange(n) >= n_host,
            )
        )
    return made


@pytest.mark.parametrize("name", ["clamp", "renoise", "de-novo"])
def test_a_raw_structure_depends_on_its_seed_only_and_not_on_its_batch_mates(name: str) -> None:
    from chggen.score.checkpoint import load_score_model

    model = load_score_model()
    run = recipe(name, levels=6, n_resample=2).run
    first, second, third = _small_hosts()
    alone = run(model, second, [11]).frac_coords
    together = run(model, collate([first, second, third]), [10, 11, 12]).split()[1].frac_coords
    elsewhere = run(model, collate([second, second, third, first]), [11, 8, 9, 7]).split()
    assert torch.equal(together, alone)
    assert torch.equal(elsewhere[0].frac_coords, alone)
    assert not torch.allclose(elsewhere[1].frac_coords, alone, atol=0.01)


def test_progress_is_told_and_ends_full() -> None:
    told: list[tuple[int, int]] = []
    made = Recipe(schedule=Schedule(n_levels=3), walk=Walk(n_resample=2))
    made.run(PAIR, _pairs(1, 1), [0], on_move=lambda done, total: told.append((done, total)))
    assert told == [(k, 9) for k in range(1, 10)]


def test_one_seed_and_one_generator_for_each_crystal() -> None:
    with pytest.raises(ValueError, match="one seed for each of 2 crystals, got 1"):
        recipe("clamp").run(PAIR, _pairs(2, 1), [0])
    with pytest.raises(ValueError, match="one generator for each of 2 crystals, got 1"):
        sample(PAIR, _pairs(2, 1), Schedule(n_levels=2), generators=generators_from([0]))


def test_an_unknown_recipe_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown sampler 'magic'; expected de-novo, clamp"):
        recipe("magic")
    with pytest.raises(ValueError, match="unknown quality 'great'; expected fast or best"):
        recipe("clamp", quality="great")
