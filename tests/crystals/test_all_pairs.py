"""All pairs within a cutoff are the edges of the general search."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch

from chggen.crystals.all_pairs import AllPairs
from chggen.crystals.batch import Crystals, collate
from chggen.crystals.neighbors import edges_within

_CELLS = [5 * np.eye(3), 2.5 * np.eye(3), np.array([[4.0, 0, 0], [3.6, 2.2, 0], [-3.4, 1.5, 4.0]])]


@pytest.mark.parametrize("cutoff", [3.0, 7.0])
@pytest.mark.parametrize("n_atoms", [1, 2, 5])
def test_vectors_and_rows_are_those_of_the_edges(
    random_crystal: Callable[..., Crystals], n_atoms: int, cutoff: float
) -> None:
    crystals = collate([random_crystal(cell, n_atoms, seed=k) for k, cell in enumerate(_CELLS)])
    search = AllPairs(crystals.lattice, n_atoms, cutoff)
    for shift in (0.0, 0.3, -1.7):  # the search is made once and used again, for unwrapped positions too
        moved = dataclasses.replace(crystals, frac_coords=crystals.frac_coords + shift * torch.rand(3))
        vector, row = search(moved.frac_coords)
        edges = edges_within(moved, cutoff)
        assert torch.equal(row, edges.receiver * n_atoms + edges.sender % n_atoms)
        assert torch.allclose(vector, edges.vectors(moved), atol=1e-10)


def test_atoms_far_apart_have_no_pairs(random_crystal: Callable[..., Crystals]) -> None:
    lonely = random_crystal(20 * np.eye(3), 1)
    vector, row = AllPairs(lonely.lattice, 1, 5.0)(lonely.frac_coords)
    assert vector.shape == (0, 3)
    assert row.shape == (0,)
