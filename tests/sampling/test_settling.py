"""Guests that have found their places skip the levels left, each crystal for itself, and end where they would have."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from chggen.crystals.batch import Crystals, collate
from chggen.diffusion.schedule import Schedule
from chggen.diffusion.score_model import Noise, Score
from chggen.sampling.predictors import Refresh
from chggen.sampling.random_numbers import generators_from
from chggen.sampling.resampling import Walk
from chggen.sampling.sampler import sample
from chggen.sampling.settling import Settling

EDGE = 6.0
LEVELS = Schedule(n_levels=30, largest=2.0)


def _crystal(element: int) -> Crystals:
    """A host atom at the origin and a guest."""
    return Crystals(
        frac_coords=torch.zeros(2, 3, dtype=torch.float64),
        lattice=EDGE * torch.eye(3, dtype=torch.float64)[None],
        atomic_numbers=torch.tensor([8, element]),
        crystal_index=torch.zeros(2, dtype=torch.long),
        guest=torch.tensor([False, True]),
    )


class OneSite:
    """Knows at every level that lithium sits at the centre; where sodium sits it says from 0.5 Å on."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def __call__(self, crystals: Crystals, noise: Noise) -> Score:
        self.asked.append(crystals.atomic_numbers[1::2].tolist())
        to_centre = crystals.to_cartesian(0.5 - crystals.frac_coords)
        unknown = (crystals.atomic_numbers == 11) & (noise.sigma > 0.5)
        step = torch.where(unknown[:, None], 0.0, to_centre)
        noisy = noise.sigma[:, None] > 0
        return Score(atoms=torch.where(noisy, step / noise.sigma[:, None] ** 2, 0.0))


def _sampled(crystals: Crystals, seeds: list[int], settling: Settling | None = None) -> tuple[Crystals, OneSite]:
    model = OneSite()
    made = sample(model, crystals, LEVELS, predictor=Refresh(), settling=settling, generators=generators_from(seeds))
    return made, model


def test_settled_guests_skip_levels_and_end_at_the_same_place() -> None:
    whole, all_levels = _sampled(_crystal(3), [1])
    made, model = _sampled(_crystal(3), [1], Settling())
    assert len(all_levels.asked) == 30
    below = int((LEVELS.sigmas(_crystal(3).lattice)[:-1, 0] <= 0.1).sum())
    assert len(model.asked) == 3 + below  # two comparisons need three evaluations, then the lowest levels
    assert torch.allclose(made.frac_coords[1], torch.full((3,), 0.5, dtype=torch.float64), atol=1e-6)
    assert torch.allclose(made.frac_coords, whole.frac_coords, atol=1e-6)


def test_crystals_that_are_done_leave_and_the_others_go_on_as_alone() -> None:
    both, model = _sampled(collate([_crystal(3), _crystal(11), _crystal(3)]), [1, 2, 3], Settling())
    assert model.asked[0] == [3, 11, 3]
    assert model.asked[-1] == [11]
    for k, element in enumerate((3, 11, 3)):
        alone, _ = _sampled(_crystal(element), [k + 1], Settling())
        assert torch.equal(both.frac_coords[2 * k : 2 * k + 2], alone.frac_coords)


def test_a_site_that_is_never_sure_takes_all_levels() -> None:
    crystal = replace(_crystal(3), lattice=torch.eye(3, dtype=torch.float64)[None] * EDGE)

    class Unsure(OneSite):
        def __call__(self, crystals: Crystals, noise: Noise) -> Score:
            self.asked.append([])
            return Score(atoms=torch.zeros_like(crystals.frac_coords))

    model = Unsure()
    sample(model, crystal, Schedule(n_levels=8, largest=2.0, smallest=0.5), predictor=Refresh(), settling=Settling(),
           generators=generators_from([0]))  # fmt: skip
    assert len(model.asked) == 8


def test_a_walk_that_jumps_back_is_refused() -> None:
    with pytest.raises(ValueError, match="settling expects a walk straight down"):
        sample(OneSite(), _crystal(3), LEVELS, walk=Walk(n_resample=2), settling=Settling(),
               generators=generators_from([0]))  # fmt: skip


def test_guests_that_sites_hold_in_place_need_no_network() -> None:
    class Held:
        """The symmetry of guests on a site without any freedom, at a quarter of the cell."""

        def start(self, frac: torch.Tensor) -> torch.Tensor:
            return torch.full_like(frac, 0.25)

        def project(self, displacement: torch.Tensor) -> torch.Tensor:
            return torch.zeros_like(displacement)

        def rebuild(self, crystals: Crystals) -> Crystals:
            return crystals

        def freedom(self, crystals: Crystals) -> torch.Tensor:
            return torch.zeros_like(crystals.frac_coords[:, 0])

    for settling in (None, Settling()):
        model = OneSite()
        made = sample(model, _crystal(3), LEVELS, predictor=Refresh(), symmetry=Held(), settling=settling,
                      generators=generators_from([0]))  # fmt: skip
        assert model.asked == []
        assert made.frac_coords[1].tolist() == [0.25] * 3


def test_guests_held_in_place_keep_their_bits_beside_others_that_move() -> None:
    class Rebuilt:
        """The first crystal's guest is held; what is rebuilt differs in its last digits."""

        def start(self, frac: torch.Tensor) -> torch.Tensor:
            return torch.full_like(frac, 0.3)

        def project(self, displacement: torch.Tensor) -> torch.Tensor:
            return displacement

        def rebuild(self, crystals: Crystals) -> Crystals:
            return replace(crystals, frac_coords=crystals.frac_coords + 1e-12)

        def freedom(self, crystals: Crystals) -> torch.Tensor:
            return torch.tensor([0.0, 0.0, 3.0, 3.0], dtype=torch.float64)

    for settling in (None, Settling()):
        made = sample(OneSite(), collate([_crystal(3), _crystal(3)]), LEVELS, predictor=Refresh(), symmetry=Rebuilt(),
                      settling=settling, generators=generators_from([0, 1]))  # fmt: skip
        assert made.frac_coords[1].tolist() == [0.3] * 3
        assert made.frac_coords[3].tolist() == pytest.approx([0.5] * 3, abs=1e-6)
