"""Walls: expected positions end at them, and inside nothing changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from pymatgen.core import Lattice

from chggen.crystals import Crystals, collate
from chggen.diffusion import Noise, Schedule, Score
from chggen.regions import Slab
from chggen.sampling import NO_WALLS, RegionWalls, Walls
from chggen.sampling.predictors import Ancestral, Refresh
from chggen.sampling.random_numbers import generators_from
from chggen.sampling.sampler import sample

CUBE = Lattice.cubic(10.0)
SLAB = Slab(CUBE, (0, 0, 1), 4.0, 6.0)


class Well:
    """The score of atoms that belong at one place, with a deviation of 0.05 Å."""

    def __init__(self, place: list[float]) -> None:
        self.place = torch.tensor(place)

    def __call__(self, crystals: Crystals, noise: Noise) -> Score:
        off = self.place.to(crystals.frac_coords) - crystals.frac_coords
        step = crystals.to_cartesian(off - off.round())
        return Score(atoms=step / (noise.sigma[:, None] ** 2 + 0.05**2), strain=None)


def _crystals(n: int) -> Crystals:
    return Crystals(
        frac_coords=torch.full((n, 3), 0.5, dtype=torch.float64),
        lattice=torch.eye(3, dtype=torch.float64)[None] * 10,
        atomic_numbers=torch.full((n,), 3),
        crystal_index=torch.zeros(n, dtype=torch.long),
        guest=torch.ones(n, dtype=torch.bool),
    )


def _sampled(place: list[float], walls: Walls, predictor: Ancestral | Refresh) -> np.ndarray:
    n = 40
    made = sample(
        Well(place), _crystals(n), Schedule(n_levels=20, largest=3.0), predictor=predictor, walls=walls,
        generators=generators_from([0]),
    )  # fmt: skip
    return np.asarray(made.frac_coords) * 10


def _walls() -> RegionWalls:
    starts = torch.rand(40, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    starts[:, 2] = 0.4 + 0.2 * starts[:, 2]
    return RegionWalls(starts, [(SLAB, np.arange(40))])


def test_guests_that_belong_behind_a_wall_end_at_it() -> None:
    for predictor in (Refresh(), Ancestral()):
        made = _sampled([0.3, 0.3, 0.8], _walls(), predictor)
        assert SLAB.contains(made).mean() > 0.9
        assert abs(made[:, 2] - 6.0).mean() < 0.5
    assert np.abs(_sampled([0.3, 0.3, 0.8], NO_WALLS, Refresh())[:, 2] - 8.0).max() < 0.5


def test_guests_that_belong_inside_get_there() -> None:
    for predictor in (Refresh(), Ancestral()):
        assert np.abs(_sampled([0.3, 0.3, 0.47], _walls(), predictor) - [3, 3, 4.7]).max() < 0.4


def test_what_is_expected_inside_is_left_as_it_is() -> None:
    walls, crystals = _walls(), _crystals(40)
    inside = walls.start(crystals.frac_coords)
    assert torch.equal(walls.confined(crystals, inside, crystals.frac_coords), inside)
    assert torch.equal(NO_WALLS.confined(crystals, inside, inside), inside)


def test_atoms_with_a_cap_stay_near_their_places_and_others_of_the_host_do_not_move() -> None:
    crystals = replace(_crystals(3), frac_coords=torch.tensor([[0.3, 0.3, 0.8], [0.2] * 3, [0.9] * 3]).double())
    crystals = replace(crystals, guest=torch.tensor([False, False, True]))
    caps = torch.tensor([0.1, torch.inf, torch.inf]).double()
    for predictor in (Refresh(), Ancestral()):
        made = sample(
            Well([0.3, 0.3, 0.81]), crystals, Schedule(n_levels=20, largest=3.0), predictor=predictor, caps=caps,
            generators=generators_from([0]),
        )  # fmt: skip
        off = torch.linalg.norm(made.frac_coords - crystals.frac_coords, dim=1) * 10
        assert 0 < off[0] < 0.4
        assert off[1] == 0
        assert off[2] > 1
        assert torch.equal(made.guest, crystals.guest)


def test_a_cap_changes_nothing_for_the_rest_of_a_batch() -> None:
    one = _crystals(2)
    two = collate([one, one])
    caps = torch.tensor([torch.inf, torch.inf, 0.1, torch.inf]).double()
    settings = {"predictor": Refresh()}
    alone = sample(Well([0.1, 0.2, 0.3]), one, Schedule(n_levels=5), generators=generators_from([4]), **settings)
    both = sample(
        Well([0.1, 0.2, 0.3]), two, Schedule(n_levels=5), caps=caps, generators=generators_from([4, 5]), **settings
    )
    assert torch.equal(alone.frac_coords, both.frac_coords[:2])
