"""Samplings side by side: each as if alone, with fewer evaluations of the network."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import pytest
import torch
from pymatgen.core import Lattice, Structure

from chggen.campaign.host_jobs import inpaint_jobs
from chggen.campaign.production import sample_jobs
from chggen.campaign.resources import Resources
from chggen.campaign.structure_options import InpaintOptions
from chggen.crystals.batch import Crystals
from chggen.diffusion import AtomOrbits, Noise, Score, ScoreModel
from chggen.generation.options import SamplerOptions
from chggen.sampling import Recipe, together
from chggen.sampling.recipes import recipe
from chggen.score import load_score_model


class _Counting:
    """A score model that counts what it is asked, and passes it on."""

    def __init__(self, score: ScoreModel) -> None:
        self._score = score
        self.asked: list[int] = []

    def __call__(self, crystals: Crystals, noise: Noise) -> Score:
        self.asked.append(crystals.n_crystals)
        return self._score(crystals, noise)


class _CountingOrbits(_Counting):
    def of_orbits(self, crystals: Crystals, noise: Noise, orbits: AtomOrbits) -> Score:
        self.asked.append(crystals.n_crystals)
        return self._score.of_orbits(crystals, noise, orbits)  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("counting", [_Counting, _CountingOrbits])
def test_kinds_of_starts_share_evaluations_and_are_sampled_as_alone(counting: type[_Counting]) -> None:
    fluorite = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.46), ["Ca", "F"], [[0, 0, 0], [0.25, 0.25, 0.25]])
    host = fluorite.get_primitive_structure()
    host.remove_species(["F"])
    options = InpaintOptions(host="x", guests={"F": 2}, n=6, references=(), sampler=SamplerOptions(quality="fast"))
    jobs = inpaint_jobs(host, options)
    assert {job.candidate.seed_source for job in jobs} == {"prototype", "orbits", "anywhere"}

    def sampled(some: list[int]) -> tuple[list[Structure], list[int]]:
        score = counting(load_score_model())
        resources = Resources(sampler=options.sampler, relax=None, loaded={"score": score})
        made = [m for m in sample_jobs([jobs[k] for k in some], resources) if isinstance(m, Structure)]
        return made, score.asked

    everywhere, asked = sampled(list(range(6)))
    alone = [sampled([k]) for k in range(6)]
    assert everywhere == [structure for (structure,), _ in alone]  # to the last bit
    assert sum(asked) == sum(sum(each) for _, each in alone)
    assert len(asked) == max(len(each) for _, each in alone)  # as many as the longest takes


def _cell(random_crystal: Callable[..., Crystals]) -> Crystals:
    return random_crystal(4.0 * torch.eye(3).numpy(), 3)


def _sampled(how: Recipe, crystals: Crystals, score: ScoreModel) -> Crystals:
    return how.run(score, crystals, [0])


def test_recipes_of_unlike_length(random_crystal: Callable[..., Crystals]) -> None:
    score, crystals = load_score_model(), _cell(random_crystal)
    recipes = [recipe("clamp", levels=3), recipe("renoise", levels=5), recipe("paper", levels=20)]
    side_by_side = together(score, [partial(_sampled, how, crystals) for how in recipes])
    for how, made in zip(recipes, side_by_side, strict=True):
        assert torch.equal(made.frac_coords, how.run(score, crystals, [0]).frac_coords)


@pytest.mark.parametrize("after", [0, 2, 4])
def test_what_one_raises_is_raised_and_the_others_end(random_crystal: Callable[..., Crystals], after: int) -> None:
    crystals, threads = _cell(random_crystal), threading.active_count()

    def failing(score: ScoreModel) -> Crystals:
        recipe("clamp", levels=after, best_of=1).run(score, crystals, [0]) if after else None
        raise ArithmeticError("no sample")

    ended = []

    def endless(score: ScoreModel) -> Crystals:
        try:
            while True:
                recipe("clamp", levels=3).run(score, crystals, [0])
        finally:
            ended.append(True)

    with pytest.raises(ArithmeticError, match="no sample"):
        together(load_score_model(), [endless, failing, endless])
    assert threading.active_count() == threads
    assert len(ended) == (2 if after else 1)  # the last had not begun where the second failed at once


def test_a_network_that_fails_ends_all(random_crystal: Callable[..., Crystals]) -> None:
    crystals, threads = _cell(random_crystal), threading.active_count()

    def broken(crystals: Crystals, noise: Noise) -> Score:
        raise ArithmeticError("no score")

    runs = [partial(_sampled, recipe("clamp", levels=3), crystals)] * 2
    with pytest.raises(ArithmeticError, match="no score"):
        together(broken, runs)
    assert threading.active_count() == threads
    assert together(load_score_model(), []) == []
