"""The mixture of tasks: who is noised, by how much, and what is to be learned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from chggen.crystals.batch import Crystals, collate
from chggen.diffusion.noise import wrapped_normal_score
from chggen.diffusion.schedule import sigma_max
from chggen.training.denoising_task import draw_guests, make_task
from chggen.training.options import NoiseOptions

_SPECIES = np.array([3, 3, 3, 15, 15, 8, 8, 8, 8, 8, 8, 8])
_JOINT = NoiseOptions(species_share=0.0, partial_share=0.0, atoms_share=0.0)


def _crystals(n: int) -> Crystals:
    rng = np.random.default_rng(1)
    one = [
        Crystals(
            frac_coords=torch.from_numpy(rng.random((12, 3))),
            lattice=torch.from_numpy(np.diag(rng.uniform(4, 9, 3)))[None],
            atomic_numbers=torch.from_numpy(_SPECIES),
            crystal_index=torch.zeros(12, dtype=torch.long),
            guest=torch.ones(12, dtype=torch.bool),
        )
        for _ in range(n)
    ]
    return collate(one)


@pytest.mark.parametrize("species", [np.array([3]), np.array([3, 3]), np.array([3, 8]), _SPECIES])
@pytest.mark.parametrize(
    "shares", [(0.55, 0.1, 0.15), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, 0.0)]
)
def test_there_is_always_a_guest(species: np.ndarray, shares: tuple[float, float, float]) -> None:
    options = NoiseOptions(species_share=shares[0], partial_share=shares[1], atoms_share=shares[2])
    rng = np.random.default_rng(0)
    for _ in range(50):
        mask = draw_guests(species, options, rng)
        assert mask.shape == species.shape
        assert mask.dtype == bool
        assert mask.any()


def test_the_kinds_of_task_have_their_shares() -> None:
    rng = np.random.default_rng(0)
    options = NoiseOptions(species_share=0.5, partial_share=0.2, atoms_share=0.0)
    kinds = np.unique(_SPECIES)
    n = 4000
    whole = everything = part = 0
    for _ in range(n):
        mask = draw_guests(_SPECIES, options, rng)
        noised = [mask[np.equal(_SPECIES, k)].mean() for k in kinds]
        everything += mask.all()
        whole += not mask.all() and all(share in (0, 1) for share in noised)
        part += any(0 < share < 1 for share in noised)
    # A random part of one species (3, 2 or 7 atoms, each count alike) is all of it with chance (1/3 + 1/2 + 1/7)/3.
    complete = (1 / 3 + 1 / 2 + 1 / 7) / 3
    assert everything / n == pytest.approx(0.3, abs=0.03)  # standard errors below 0.008
    assert whole / n == pytest.approx(0.5 + 0.2 * complete, abs=0.03)
    assert part / n == pytest.approx(0.2 * (1 - complete), abs=0.03)


def test_one_species_is_the_usual_guest_and_never_all_of_them() -> None:
    rng = np.random.default_rng(0)
    options = NoiseOptions(species_share=1.0, partial_share=0.0, atoms_share=0.0)
    counts = [len(np.unique(_SPECIES[draw_guests(_SPECIES, options, rng)])) for _ in range(2000)]
    assert set(counts) == {1, 2}
    assert counts.count(1) / 2000 == pytest.approx(0.7 + 0.3 / 2, abs=0.04)


def test_mobile_species_are_guests_as_much_oftener_as_their_weight_says() -> None:
    options = NoiseOptions(species_share=0.0, partial_share=1.0, atoms_share=0.0, mobile_weight=3.0)
    rng = np.random.default_rng(0)
    species = np.array([3, 8])
    lithium = sum(bool(draw_guests(species, options, rng)[0]) for _ in range(2000))
    assert lithium == pytest.approx(1500, abs=80)  # standard deviation 19


def test_random_subsets_have_every_size() -> None:
    rng = np.random.default_rng(0)
    options = NoiseOptions(species_share=0.0, partial_share=0.0, atoms_share=1.0)
    sizes = np.bincount([draw_guests(_SPECIES, options, rng).sum() for _ in range(3000)], minlength=13)
    assert sizes[0] == 0
    assert sizes[1:].min() > 150  # 250 expected of each, standard deviation 15


def test_clean_hosts_carry_exactly_no_noise_and_stay() -> None:
    crystals = _crystals(40)
    options = NoiseOptions(species_share=1.0, partial_share=0.0, atoms_share=0.0, uncertain_host_share=0.0)
    task = make_task(crystals, options, np.random.default_rng(0))
    host = task.noise.sigma == 0
    assert 0.2 < float(host.double().mean()) < 0.9
    assert torch.equal(task.crystals.frac_coords[host], crystals.frac_coords[host])
    assert torch.equal(task.target[host], torch.zeros_like(task.target[host]))
    assert not bool((task.crystals.frac_coords[~host] == crystals.frac_coords[~host]).all(-1).any())
    assert torch.equal(task.noise.tau, torch.zeros(40, dtype=torch.float64))
    for sigma, numbers in zip(task.noise.sigma.split(12), crystals.atomic_numbers.split(12), strict=True):
        assert len({(int(z), float(s)) for z, s in zip(numbers, sigma, strict=True)}) == 3  # one level a species
        assert len(set(sigma.tolist())) == 2


def test_uncertain_hosts_have_their_share_and_their_levels() -> None:
    crystals = _crystals(600)
    options = NoiseOptions(
        species_share=0.0, partial_share=1.0, atoms_share=0.0, smallest=1.0, uncertain_host_share=0.25
    )
    task = make_task(crystals, options, np.random.default_rng(0))
    lowest = task.noise.sigma.view(600, 12).amin(-1)
    uncertain = lowest > 0
    assert float(uncertain.double().mean()) == pytest.approx(0.25, abs=0.06)  # standard error 0.018
    held = lowest[uncertain]
    assert float(held.min()) >= 0.01
    assert float(held.max()) <= 0.5
    assert float(held.log().mean()) == pytest.approx(np.log(0.01 * 0.5) / 2, abs=0.4)


def test_joint_levels_are_log_uniform_up_to_each_crystals_own_top() -> None:
    crystals = _crystals(800)
    task = make_task(crystals, replace(_JOINT, focus_share=0.0), np.random.default_rng(0))
    levels = task.noise.sigma.view(800, 12)
    assert bool((levels == levels[:, :1]).all())
    top = sigma_max(crystals.lattice, 10.0)
    position = (levels[:, 0] / 0.005).log() / (top / 0.005).log()
    counts = torch.histc(position, 4, 0.0, 1.0)
    assert int(counts.sum()) == 800  # none outside
    assert float(counts.min()) > 150  # 200 expected, standard deviation 12


def test_a_share_of_the_levels_lies_in_the_band_of_interest() -> None:
    crystals = _crystals(800)
    task = make_task(crystals, replace(_JOINT, focus_share=1.0), np.random.default_rng(0))
    levels = task.noise.sigma.view(800, 12)[:, 0]
    top = sigma_max(crystals.lattice, 10.0).clamp(max=2.0)
    assert bool((levels >= 0.15).all())
    assert bool((levels <= top).all())
    position = (levels / 0.15).log() / (top / 0.15).log()
    assert float(torch.histc(position, 4, 0.0, 1.0).min()) > 150  # 200 expected, standard deviation 12


def test_the_target_is_the_score_of_the_step_taken_without_its_common_shift() -> None:
    crystals = _crystals(20)
    task = make_task(crystals, _JOINT, np.random.default_rng(3))
    step = task.crystals.cart_coords - crystals.cart_coords  # up to lattice vectors, which the score ignores
    score = wrapped_normal_score(step, task.noise.sigma, crystals.lattice, crystals.crystal_index).view(20, 12, 3)
    expected = (score - score.mean(1, keepdim=True)).flatten(0, 1)
    scale = task.noise.sigma[:, None]
    assert torch.allclose(scale * task.target, scale * expected, atol=1e-4)


def test_tasks_follow_from_the_generator_alone() -> None:
    crystals = _crystals(3)
    one, same, other = (make_task(crystals, NoiseOptions(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(one.crystals.frac_coords, same.crystals.frac_coords)
    assert torch.equal(one.target, same.target)
    assert not torch.equal(one.crystals.frac_coords, other.crystals.frac_coords)
