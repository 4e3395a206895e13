"""Cells: volumes, angles, and what must not depend on the basis."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pymatgen.core import Lattice

from chggen.crystals.lattice import (
    inverse_spacings,
    lattice_from_parameters,
    mixing_length,
    volume,
    wrap,
)


@pytest.mark.parametrize("parameters", [(3, 4, 5, 90, 90, 90), (3, 3, 7, 90, 90, 120), (4, 5, 6, 71, 83, 108)])
def test_cell_parameters_as_pymatgen_reads_them(parameters: tuple[float, ...]) -> None:
    ours = lattice_from_parameters(np.array(parameters, dtype=float))
    theirs = Lattice.from_parameters(*parameters)
    assert np.allclose(ours @ ours.T, theirs.matrix @ theirs.matrix.T, atol=1e-10)
    assert np.linalg.det(ours) == pytest.approx(theirs.volume)
    assert np.allclose(Lattice(ours).parameters, parameters)


def test_cell_parameters_in_batches() -> None:
    one, two = np.array([3, 4, 5, 80, 90, 100.0]), np.array([6, 6, 6, 60, 60, 60.0])
    both = lattice_from_parameters(np.stack([one, two]))
    assert np.array_equal(both, np.stack([lattice_from_parameters(one), lattice_from_parameters(two)]))


@pytest.mark.parametrize("shear", [0, 1, 2, 5])
def test_mixing_length_does_not_depend_on_the_basis(shear: int) -> None:
    cell = torch.tensor([[4.0, 0.0, 0.0], [0.5, 6.0, 0.0], [1.0, -0.7, 9.0]], dtype=torch.float64)
    basis = torch.tensor([[1, 0, shear], [0, 1, -1], [0, 0, 1]], dtype=torch.float64)
    expected = mixing_length(cell)
    assert float(expected) == pytest.approx(9.0)  # the planes that hold the two short vectors, which lie in xy
    assert torch.allclose(mixing_length(basis @ cell), expected, rtol=1e-9)


def test_plane_spacings_and_volume_by_hand() -> None:
    cell = torch.tensor([[2.0, 0, 0], [0, 4.0, 0], [3.0, 0, 5.0]], dtype=torch.float64)
    # The volume 40 over the area of each face: 20 across a (|b × c| = 4 √34), 10 across b, 8 across c.
    expected = torch.tensor([4 * 34**0.5 / 40, 10 / 40, 8 / 40], dtype=torch.float64)
    assert torch.allclose(inverse_spacings(cell), expected)
    assert float(volume(cell)) == pytest.approx(40.0)
    assert float(volume(-cell)) == pytest.approx(40.0)  # left-handed cells have a volume too


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_wrapped_coordinates_lie_in_the_half_open_interval(dtype: torch.dtype) -> None:
    edge = torch.tensor([0.0, -0.0, 1.0, -1.0, 7.0, -1e-20, 1 - 1e-20, 0.25, -0.25, 1.75, -1e-8], dtype=dtype)
    wrapped = wrap(edge)
    assert bool(((wrapped >= 0) & (wrapped < 1)).all())
    assert wrapped[:5].tolist() == [0.0] * 5
    assert wrapped[7:10].tolist() == [0.25, 0.75, 0.75]
