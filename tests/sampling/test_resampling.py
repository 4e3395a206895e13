"""Walks end in the clean level, and every pair is a step down by one level or a jump back up a stretch just walked."""

from __future__ import annotations

import itertools

import pytest

from chggen.sampling.resampling import Walk


@pytest.mark.parametrize(
    ("n_levels", "n_resample", "jump_length"),
    [*itertools.product((2, 7, 20), (1, 3), (1, 4, 10)), (5, 2, 50)],
)
def test_a_walk_is_connected_and_ends_clean(n_levels: int, n_resample: int, jump_length: int) -> None:
    steps = Walk(n_resample=n_resample, jump_length=jump_length).steps(n_levels)
    assert steps[0][0] == 0
    assert steps[-1][1] == n_levels
    for (_, reached), (start, _) in itertools.pairwise(steps):
        assert start == reached
    for start, target in steps:
        assert target == start + 1 or 1 <= start - target <= jump_length
        assert 0 <= target <= n_levels
    down = [pair for pair in steps if pair[1] > pair[0]]
    assert sorted(down) == sorted([(k, k + 1) for k in range(n_levels)] * n_resample)


def test_straight_down_and_a_small_walk_written_out() -> None:
    assert Walk().steps(3) == [(0, 1), (1, 2), (2, 3)]
    assert Walk(n_resample=2, jump_length=2).steps(3) == [
        (0, 1), (1, 2), (2, 0), (0, 1), (1, 2),
        (2, 3), (3, 2), (2, 3),
    ]  # fmt: skip


@pytest.mark.parametrize("options", [{"n_resample": 0}, {"jump_length": 0}, {"n_resample": -1}])
def test_walks_of_nothing_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Walk(**options)
