"""Strains from a reference cell: they lead back to the lattice, turn with it, and keep a Bravais class."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from chggen.diffusion.strain import aligned, isotropic_metric, shape_noise, strained, traceless
from chggen.symmetry.wyckoff import setting


def _cells(n: int) -> torch.Tensor:
    rng = np.random.default_rng(0)
    return torch.tensor(4 * np.eye(3) + rng.normal(0, 0.8, (n, 3, 3)))


def test_the_strain_leads_back_to_the_lattice_and_is_symmetric_without_trace() -> None:
    lattice = _cells(50)
    for reference in (torch.eye(3, dtype=torch.float64).expand(50, 3, 3), _cells(50).flip(0)):
        turned, strain = aligned(reference, lattice)
        torch.testing.assert_close(strained(turned, strain), lattice)
        torch.testing.assert_close(strain, strain.transpose(-1, -2))
        assert strain.diagonal(dim1=1, dim2=2).sum(-1).abs().max() < 1e-12
        torch.testing.assert_close(torch.linalg.det(turned).abs(), torch.linalg.det(lattice).abs())


def test_the_strain_turns_with_the_lattice() -> None:
    lattice = _cells(20)
    turn = torch.linalg.qr(_cells(1))[0]
    reference = torch.eye(3, dtype=torch.float64).expand(20, 3, 3)
    _, strain = aligned(reference, lattice)
    _, moved = aligned(reference, lattice @ turn)
    torch.testing.assert_close(moved, turn.transpose(-1, -2) @ strain @ turn)


def test_noise_has_unit_variance_in_each_of_five_components_whatever_the_axes() -> None:
    noise = shape_noise(torch.randn(40_000, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    torch.testing.assert_close(traceless(noise), noise)
    assert float((noise**2).sum((1, 2)).mean()) == pytest.approx(5, rel=0.02)
    turn = torch.linalg.qr(_cells(1))[0][0]
    for matrices in (noise, turn.T @ noise @ turn):
        assert float(matrices[:, 0, 1].var()) == pytest.approx(0.5, rel=0.03)  # 1/√2 of a unit component each
        assert float(matrices[:, 2, 2].var()) == pytest.approx(2 / 3, rel=0.03)


@pytest.mark.parametrize("number", [1, 14, 63, 99, 139, 141, 166, 194, 225])
def test_the_reference_of_a_class_has_its_rotations(number: int) -> None:
    rows = torch.tensor(setting(number).group.rotations.transpose(0, 2, 1)).double()
    metric = isotropic_metric(rows)
    torch.testing.assert_close(rows @ metric @ rows.transpose(-1, -2), metric.expand_as(rows))
    assert float(torch.linalg.det(metric)) == pytest.approx(1)
    if number == 1:
        torch.testing.assert_close(metric, torch.eye(3, dtype=torch.float64))
    if number == 225:  # the primitive cell of a face-centred lattice: equal lengths, 60 degrees
        scaled = metric / metric[0, 0]
        torch.testing.assert_close(scaled.diagonal(), torch.ones(3, dtype=torch.float64))
        assert scaled[0, 1].abs() == pytest.approx(0.5)
