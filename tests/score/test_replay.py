"""What is recorded for a GPU: on a CPU the same function of the same padded tensors, which gives the same numbers."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import DynamicOutputShapeException, FakeTensorMode

from chggen.crystals import Crystals, collate
from chggen.diffusion import AtomOrbits
from chggen.score import fused, load_score_model
from chggen.score.chunks import Graph
from chggen.score.fused import FusedNequip
from chggen.score.nequip import NequipScore
from chggen.score.replay import Replay


def _networks() -> tuple[FusedNequip, FusedNequip]:
    """The shipped network, launched step by step and recorded."""
    model = load_score_model()
    assert isinstance(model, NequipScore)
    return FusedNequip(model, replays=False), FusedNequip(model, replays=True)


def _batch(random_crystal: Callable[..., Crystals], sizes: list[int]) -> Crystals:
    cells = [(12 * n) ** (1 / 3) * torch.eye(3).numpy() for n in sizes]
    return collate([random_crystal(c, n, seed=n, dtype=torch.float32) for c, n in zip(cells, sizes, strict=True)])


@pytest.mark.parametrize(
    ("sizes", "chunks"),
    [([1], 0), ([3, 3, 3], 1), ([5, 1, 7], 3), ([20, 20, 20, 20, 20], 2), ([70, 3], 1)],  # 70 atoms have lists
)
@pytest.mark.parametrize("by_orbits", [False, True])
def test_a_replay_gives_the_same_numbers(
    random_crystal: Callable[..., Crystals],
    sizes: list[int],
    chunks: int,
    by_orbits: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorded = []

    class Counted(Replay):
        def __init__(self, *given: Any, **named: Any) -> None:
            recorded.append(1)
            super().__init__(*given, **named)

    monkeypatch.setattr(fused, "Replay", Counted)
    plain, replayed = _networks()
    crystals = _batch(random_crystal, sizes)
    count = len(crystals.atomic_numbers)
    orbits = AtomOrbits(representative=torch.arange(count), turn=torch.eye(3).expand(count, 3, 3).contiguous())
    generator = torch.Generator().manual_seed(0)
    for step in range(4):
        moved = replace(crystals, frac_coords=torch.rand(count, 3, generator=generator))
        sigma = torch.rand(count, generator=generator) * (torch.arange(count) % 3 > 0)  # some are held
        given = (moved, sigma, orbits) if by_orbits else (moved, sigma)
        assert torch.equal(replayed(*given), plain(*given)), step
    assert len(replayed._recorded) == chunks
    assert chunks <= len(recorded) <= 2 * chunks  # again at most where edges outgrew their room


def test_more_edges_than_there_is_room_for_are_recorded_anew(random_crystal: Callable[..., Crystals]) -> None:
    plain, replayed = _networks()
    crystals = _batch(random_crystal, [4])
    sigma = torch.full((4,), 0.3)
    apart = torch.tensor([[0.0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    large = replace(crystals, lattice=8.0 * torch.eye(3)[None])
    for frac in (apart, apart * 0.2, apart):
        given = replace(large, frac_coords=frac)
        assert torch.equal(replayed(given, sigma), plain(given, sigma))
    others = torch.tensor([0.3, 0, 0.3, 0.3])  # another set of noisy atoms
    assert torch.equal(replayed(large, others), plain(large, others))


def test_what_is_recorded_never_looks_at_numbers(random_crystal: Callable[..., Crystals]) -> None:
    """Sizes that depend on numbers cannot be recorded, and tensors without numbers find them out."""
    _, replayed = _networks()
    crystals = _batch(random_crystal, [6, 6, 6])
    sigma = torch.full((18,), 0.3)
    (chunk,) = replayed._neighbourhoods.chunks(crystals)
    graph = chunk.graph(crystals.frac_coords)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode, torch.no_grad():
        fake = Graph(
            vector=mode.from_tensor(graph.vector), row=mode.from_tensor(graph.row), sender=graph.sender, slots=6
        )
        for noisy in (torch.arange(18), torch.arange(5)):
            found = replayed._noise(chunk.atomic_numbers, fake, mode.from_tensor(sigma), noisy)
            assert found.shape == (max(len(noisy), 16), 3)
        with pytest.raises(DynamicOutputShapeException):
            chunk.graph(mode.from_tensor(crystals.frac_coords))


def test_what_was_recorded_goes_with_its_chunk(random_crystal: Callable[..., Crystals]) -> None:
    _, replayed = _networks()
    sigma = torch.full((3,), 0.3)
    crystals = _batch(random_crystal, [3])
    replayed(crystals, sigma)
    (recorded,) = [weakref.ref(replay) for _, replay in replayed._recorded.values()]
    replayed(_batch(random_crystal, [3]), sigma)  # other crystals take its place
    gc.collect()
    assert recorded() is None
