"""Edges against pymatgen's neighbour list, batches against single crystals, and the sums over pairs."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch

from chggen.crystals import neighbors as graph
from chggen.crystals.batch import Crystals, collate, to_structures
from chggen.crystals.neighbors import Edges, edges_within, pairs_of

_CELLS = {
    "cubic": 6 * np.eye(3),
    "small": 2.5 * np.eye(3),  # shorter than the cutoff: one shell of images is not enough
    "skewed": np.array([[4.0, 0, 0], [3.6, 2.2, 0], [-3.4, 1.5, 4.0]]),
    "flat": np.array([[3.0, 0, 0], [1.5, 12.0, 0], [0.2, 5.0, 2.4]]),
}


def _counted(edges: Edges) -> Counter[tuple[int, ...]]:
    images = edges.image.round().long().tolist()
    return Counter((r, s, *i) for r, s, i in zip(edges.receiver.tolist(), edges.sender.tolist(), images, strict=True))


def _of_pymatgen(crystal: Crystals, cutoff: float) -> Counter[tuple[int, ...]]:
    receiver, sender, image, _ = to_structures(crystal)[0].get_neighbor_list(cutoff)
    return Counter((int(r), int(s), *map(int, i)) for r, s, i in zip(receiver, sender, image, strict=True))


@pytest.mark.parametrize("cutoff", [3.0, 7.0])
@pytest.mark.parametrize("cell", _CELLS)
@pytest.mark.parametrize("n_atoms", [1, 5])
def test_edges_are_pymatgens(random_crystal: Callable[..., Crystals], cell: str, n_atoms: int, cutoff: float) -> None:
    crystal = random_crystal(_CELLS[cell], n_atoms, seed=n_atoms)
    found = _counted(edges_within(crystal, cutoff))
    assert found == _of_pymatgen(crystal, cutoff)
    assert max(found.values(), default=1) == 1


def test_vectors_point_from_receiver_to_sender_within_the_cutoff(random_crystal: Callable[..., Crystals]) -> None:
    crystal = random_crystal(_CELLS["skewed"], 4)
    edges = edges_within(crystal, 5.0)
    vectors = edges.vectors(crystal)
    assert float(torch.linalg.norm(vectors, dim=-1).max()) <= 5.0
    ends = crystal.cart_coords[edges.sender] + edges.image @ crystal.lattice[0]
    assert torch.allclose(crystal.cart_coords[edges.receiver] + vectors, ends, atol=1e-12)


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 0, 2], [2, 3, 1, 0]])
def test_a_batch_has_the_edges_of_its_crystals(random_crystal: Callable[..., Crystals], order: list[int]) -> None:
    sizes = [2, 7, 1, 4]
    singles = [random_crystal(cell, n, seed=n) for cell, n in zip(_CELLS.values(), sizes, strict=True)]
    singles = [singles[k] for k in order]
    joined = edges_within(collate(singles), 5.0)
    expected: Counter[tuple[int, ...]] = Counter()
    start = 0
    for crystal in singles:
        single = _counted(edges_within(crystal, 5.0))
        expected += Counter({(r + start, s + start, *i): n for (r, s, *i), n in single.items()})
        start += len(crystal.atomic_numbers)
    assert _counted(joined) == expected


@pytest.mark.parametrize("limit", [300_000, 1_000])
@pytest.mark.parametrize("sizes", [[6, 2, 5, 0, 1, 4], [5, 4], [4, 5, 4]])
def test_edges_are_sorted_by_receiver_then_sender_in_any_batch(
    random_crystal: Callable[..., Crystals], monkeypatch: pytest.MonkeyPatch, sizes: list[int], limit: int
) -> None:
    monkeypatch.setattr(graph, "_DENSE_ELEMENTS", {"cpu": limit})
    crystals = collate([random_crystal(5 * np.eye(3), n, seed=n) for n in sizes])
    edges = edges_within(crystals, 4.0)
    key = edges.receiver * sum(sizes) + edges.sender
    assert bool((key.diff() >= 0).all())


def test_many_atoms_take_the_cell_lists_to_the_same_edges(
    random_crystal: Callable[..., Crystals], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("vesin")
    lattice = np.array([[9.0, 0, 0], [3.0, 8.0, 0], [-2.0, 1.0, 10.0]])
    crystals = collate([random_crystal(lattice, 120, seed=2), random_crystal(lattice, 6, seed=3)])
    calls = []
    cell_lists = graph._from_cell_lists
    monkeypatch.setattr(graph, "_from_cell_lists", lambda *a: calls.append(1) or cell_lists(*a))
    fast = edges_within(crystals, 4.0)
    assert calls == [1]  # the large crystal alone
    monkeypatch.setattr(graph, "_VESIN_FROM_ATOMS", 10_000)
    dense = edges_within(crystals, 4.0)
    assert calls == [1]
    assert _counted(fast) == _counted(dense)
    assert torch.equal(fast.receiver, dense.receiver)
    assert torch.equal(fast.sender, dense.sender)


@pytest.mark.parametrize("n_atoms", [6, 120])
def test_edges_of_unwrapped_coordinates_have_the_same_vectors(
    random_crystal: Callable[..., Crystals], n_atoms: int
) -> None:
    cell = _CELLS["skewed"] * (n_atoms / 6) ** (1 / 3)
    crystal = random_crystal(cell, n_atoms)
    shift = torch.randint(-2, 3, (n_atoms, 3), generator=torch.Generator().manual_seed(0))
    unwrapped = dataclasses.replace(crystal, frac_coords=crystal.frac_coords + shift)
    lengths = [
        torch.sort(torch.linalg.norm(edges_within(c, 4.0).vectors(c), dim=-1)).values for c in (crystal, unwrapped)
    ]
    assert lengths[0].shape == lengths[1].shape
    assert torch.allclose(*lengths)


def test_single_precision_and_crystals_apart_from_each_other(random_crystal: Callable[..., Crystals]) -> None:
    lonely = random_crystal(20 * np.eye(3), 1).to("cpu", torch.float32)
    edges = edges_within(lonely, 5.0)
    assert len(edges.sender) == 0
    assert edges.image.dtype == torch.float32
    assert edges.vectors(lonely).shape == (0, 3)
    assert pairs_of(edges, 1).sum(torch.zeros(0, 2)).abs().sum() == 0


def test_sums_over_pairs_are_the_sums_over_their_edges(random_crystal: Callable[..., Crystals]) -> None:
    crystals = collate(
        [random_crystal(_CELLS["cubic"], 7, 1), random_crystal(_CELLS["small"], 2, 2), random_crystal(6 * np.eye(3), 1)]
    )
    edges = edges_within(crystals, 6.5)
    features = torch.randn(len(edges.sender), 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    pairs = pairs_of(edges, 10)
    expected = torch.zeros(10, 10, 3, dtype=torch.float64)
    for e, (r, s) in enumerate(zip(edges.receiver.tolist(), edges.sender.tolist(), strict=True)):
        expected[r, s] += features[e]
    found = torch.zeros(10, 10, 3, dtype=torch.float64)
    table = pairs.sum(features)
    for r in range(10):
        found[r].index_add_(0, pairs.sender[r], table[r])
    assert torch.allclose(found, expected)
    assert pairs.sender.shape[1] == 7  # no more slots than distinct neighbours
