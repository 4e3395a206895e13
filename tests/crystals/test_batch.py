"""Crystals: the way in from pymatgen and out again, batches, and moves."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from pymatgen.core import Lattice, Structure

from chggen.crystals.batch import Crystals, collate, from_structures, to_structures


@pytest.fixture
def structures() -> list[Structure]:
    rng = np.random.default_rng(0)
    mixed = Structure(
        Lattice.from_parameters(4, 5, 6, 70, 80, 110), ["Zn", "P", "S", "P", "Li", "S"], rng.random((6, 3))
    )
    rocksalt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na+", "Cl-"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    return [mixed, rocksalt, Structure(Lattice.cubic(3), ["Fe"], [[-0.25, 1.25, 0.999]])]


def test_structures_come_back_with_atoms_in_order(structures: list[Structure]) -> None:
    crystals = from_structures(structures)
    assert crystals.n_crystals == 3
    assert crystals.n_atoms.tolist() == [6, 8, 1]
    assert bool(((crystals.frac_coords >= 0) & (crystals.frac_coords < 1)).all())
    for before, after in zip(structures, to_structures(crystals), strict=True):
        assert [s.specie.Z for s in before] == [s.specie.Z for s in after]
        assert np.array_equal(before.lattice.matrix, after.lattice.matrix)
        away = before.frac_coords - after.frac_coords
        assert np.allclose(away, np.round(away), atol=1e-12)


def test_cartesian_positions_are_pymatgens(structures: list[Structure]) -> None:
    inside = structures[:2]
    expected = np.concatenate([s.cart_coords for s in inside])
    assert np.allclose(from_structures(inside).cart_coords.numpy(), expected, atol=1e-12)


def test_disorder_is_refused() -> None:
    alloy = Structure(Lattice.cubic(3), [{"Cu": 0.5, "Au": 0.5}], [[0, 0, 0]])
    with pytest.raises(ValueError, match="partially occupied"):
        from_structures([alloy])


def test_batch_and_split_undo_each_other(structures: list[Structure]) -> None:
    crystals = from_structures(structures)
    guest = torch.arange(15) % 2 == 0
    crystals = dataclasses.replace(crystals, guest=guest)
    again = collate(crystals.split())
    for field in dataclasses.fields(Crystals):
        assert torch.equal(getattr(again, field.name), getattr(crystals, field.name)), field.name
    nested = collate([collate(crystals.split()[:2]), crystals.split()[2]])
    assert torch.equal(nested.crystal_index, crystals.crystal_index)


def test_no_crystals_make_no_batch() -> None:
    with pytest.raises(ValueError, match="zero crystals"):
        collate([])


def test_a_crystal_without_atoms_keeps_its_place(random_crystal: Callable[..., Crystals]) -> None:
    cell = 4 * np.eye(3)
    joined = collate([random_crystal(cell, 2), random_crystal(cell, 0), random_crystal(cell, 3)])
    assert joined.n_atoms.tolist() == [2, 0, 3]
    assert [len(c.atomic_numbers) for c in joined.split()] == [2, 0, 3]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_move_is_cartesian_and_leaves_the_others_their_bits(
    random_crystal: Callable[..., Crystals], dtype: torch.dtype
) -> None:
    skewed = np.array([[4.0, 0, 0], [2.0, 3.5, 0], [-1.0, 1.0, 5.0]])
    crystals = collate([random_crystal(skewed, 7, 1, dtype), random_crystal(3 * np.eye(3), 4, 2, dtype)])
    step = torch.randn(11, 3, dtype=dtype, generator=torch.Generator().manual_seed(0)) * 5
    still = torch.tensor([0, 3, 8])
    step[still] = 0.0
    moved = crystals.moved(step)
    assert torch.equal(moved.frac_coords[still], crystals.frac_coords[still])
    assert bool(((moved.frac_coords >= 0) & (moved.frac_coords < 1)).all())
    off = moved.cart_coords - crystals.cart_coords - step
    cells = torch.einsum("ai,aij->aj", off, torch.linalg.inv(crystals.lattice)[crystals.crystal_index])
    assert torch.allclose(cells, cells.round(), atol=1e-5 if dtype == torch.float32 else 1e-12)
    assert torch.equal(moved.guest, crystals.guest)


def test_change_of_precision_reaches_coordinates_and_lattice_alone(random_crystal: Callable[..., Crystals]) -> None:
    single = random_crystal(4 * np.eye(3), 3).to("cpu", torch.float32)
    assert single.frac_coords.dtype == single.lattice.dtype == torch.float32
    assert single.atomic_numbers.dtype == torch.long
    assert single.guest.dtype == torch.bool


def test_atoms_that_stay_are_not_even_wrapped(random_crystal: Callable[..., Crystals]) -> None:
    crystal = random_crystal(4 * np.eye(3), 2)
    outside = dataclasses.replace(crystal, frac_coords=torch.tensor([[1.25, -0.1, 0.5], [1.25, -0.1, 0.5]]).double())
    moved = outside.moved(torch.tensor([[0.0, 0, 0], [4.0, 0, 0]]).double())
    assert torch.equal(moved.frac_coords[0], outside.frac_coords[0])
    assert torch.allclose(moved.frac_coords[1], torch.tensor([0.25, 0.9, 0.5]).double())
