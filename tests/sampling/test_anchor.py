"""How the host stands and what the network is told of it, at a level of the ladder."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from chggen.crystals.batch import Crystals
from chggen.sampling.anchor import Anchor, Clamp, Renoise

SIGMA = 0.8
N = 20_000


@pytest.fixture
def crowd() -> Crystals:
    """One big skewed cell, host and guest atoms by turns."""
    generator = torch.Generator().manual_seed(0)
    return Crystals(
        frac_coords=torch.rand(N, 3, generator=generator, dtype=torch.float64),
        lattice=torch.tensor([[[40.0, 0, 0], [10, 30, 0], [-5, 3, 50]]], dtype=torch.float64),
        atomic_numbers=torch.full((N,), 3),
        crystal_index=torch.zeros(N, dtype=torch.long),
        guest=torch.arange(N) % 2 == 1,
    )


def _sigma() -> torch.Tensor:
    return torch.full((N,), SIGMA, dtype=torch.float64)


def _displaced(crowd: Crystals) -> Crystals:
    generator = torch.Generator().manual_seed(1)
    return crowd.moved(torch.randn(N, 3, generator=generator, dtype=torch.float64))


def test_a_renoised_host_stands_off_by_sigma_and_guests_stay(crowd: Crystals) -> None:
    generator = torch.Generator().manual_seed(2)
    now = _displaced(crowd)
    held = Renoise().hold(now, crowd, _sigma(), lambda: torch.randn(N, 3, generator=generator, dtype=torch.float64))
    assert torch.equal(held.frac_coords[crowd.guest], now.frac_coords[crowd.guest])
    off = held.frac_coords - crowd.frac_coords  # from the clean host, not from where it stood
    off = crowd.to_cartesian(off - off.round())[~crowd.guest]
    assert off.std(0).tolist() == pytest.approx([SIGMA] * 3, rel=0.03)
    assert off.mean(0).abs().max() < 0.03
    assert torch.equal(Renoise().levels(crowd, _sigma()), _sigma())


def test_a_clamped_host_is_left_alone_and_said_to_be_clean(crowd: Crystals) -> None:
    def no_noise() -> torch.Tensor:
        raise AssertionError("a clamped host needs no noise")

    guests_moved = replace(
        crowd, frac_coords=torch.where(crowd.guest[:, None], _displaced(crowd).frac_coords, crowd.frac_coords)
    )
    assert Clamp().hold(guests_moved, crowd, _sigma(), no_noise) is guests_moved
    levels = Clamp().levels(crowd, _sigma())
    assert (levels[~crowd.guest] == 0).all()
    assert (levels[crowd.guest] == SIGMA).all()


def test_a_host_of_known_error_is_never_said_to_be_worse_than_the_level(crowd: Crystals) -> None:
    uncertain = Clamp(uncertainty=0.1)
    assert uncertain.levels(crowd, _sigma())[0] == pytest.approx(0.1)
    assert uncertain.levels(crowd, _sigma() * 0.01)[0] == pytest.approx(0.008)


@pytest.mark.parametrize("anchor", [Clamp(), Clamp(0.2), Renoise()])
def test_at_level_zero_the_host_is_the_clean_one(crowd: Crystals, anchor: Anchor) -> None:
    held = anchor.hold(crowd, crowd, 0 * _sigma(), lambda: torch.randn(N, 3, dtype=torch.float64))
    assert torch.equal(held.frac_coords, crowd.frac_coords)
    assert (anchor.levels(crowd, 0 * _sigma()) == 0).all()
