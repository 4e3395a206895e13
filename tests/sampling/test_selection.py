"""Judges of samples, and the best of several tries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
import torch

from chggen.crystals.batch import Crystals
from chggen.diffusion.score_model import Noise, Score
from chggen.sampling.random_numbers import generators_from
from chggen.sampling.selection import BestOf, DenoisingError

EDGE = 20.0
SPREAD = 0.3  # Å, deviation of each Cartesian component of an atom about its site


def _pairs(*offsets: float) -> Crystals:
    """For each offset (Å) a crystal of two atoms around the centre, the first moved along x by its offset."""
    n = len(offsets)
    frac = torch.full((n, 2, 3), 0.5, dtype=torch.float64)
    frac[:, 0, 0] += torch.tensor(offsets) / EDGE
    return Crystals(
        frac_coords=frac.reshape(-1, 3),
        lattice=EDGE * torch.eye(3, dtype=torch.float64).repeat(n, 1, 1),
        atomic_numbers=torch.full((2 * n,), 3),
        crystal_index=torch.arange(n).repeat_interleave(2),
        guest=torch.tensor([True, False] * n),
    )


def _normal_score(crystals: Crystals, noise: Noise) -> Score:
    """Score of atoms independently normal about the centre of the cell."""
    off = crystals.cart_coords - EDGE / 2
    return Score(atoms=-off / (SPREAD**2 + noise.sigma[:, None] ** 2))


def test_denoising_error_of_a_normal_law() -> None:
    # Component by component σs + z = (v z − σ a)/(v + σ²), with a the offset less that of the whole crystal (half), so
    # two atoms leave one free difference: per atom ½ [3 v² + σ² d²/2] / (v + σ²)² for the offset d of one of them.
    sigma, offset, n = 0.2, 0.8, 4000
    variance = SPREAD**2
    errors = DenoisingError((sigma,))(_normal_score, _pairs(*[offset] * n), generators_from(range(n)))
    expected = 0.5 * (3 * variance**2 + sigma**2 * offset**2 / 2) / (variance + sigma**2) ** 2
    assert float(errors.mean()) == pytest.approx(expected, rel=0.03)


def test_denoising_error_tells_the_likelier_crystal_and_ignores_where_the_whole_stands() -> None:
    near, far = DenoisingError()(_normal_score, _pairs(0.1, 1.5), generators_from([1, 1]))
    assert near < far
    both = _pairs(0.3)
    moved = both.moved(torch.tensor([[0.4, -0.2, 0.1]], dtype=torch.float64).repeat(2, 1))
    apart = [DenoisingError()(_normal_score, c, generators_from([2])) for c in (both, moved)]
    assert torch.allclose(apart[0], apart[1], rtol=1e-4)


@dataclass(frozen=True)
class Nearest:
    """A judge that wants the first atom of a pair near the centre; it keeps what it was shown."""

    seen: list[tuple[torch.Tensor, list[int]]]
    evaluations: int = 0

    def __call__(self, score: object, crystals: Crystals, generators: Sequence[torch.Generator]) -> torch.Tensor:
        mark = (crystals.cart_coords[::2, 0] - EDGE / 2).abs()
        self.seen.append((mark, [g.initial_seed() for g in generators]))
        return torch.where(mark > 5, torch.nan, mark)


def test_the_best_try_is_kept_crystal_by_crystal() -> None:
    tries = [(3.0, 6.0, 0.5), (1.0, 2.0, 1.0), (2.0, 7.0, 0.6), (1.5, 1.5, 9.0)]
    judge = Nearest([])
    asked: list[tuple[int, int]] = []

    def sample(which: Sequence[int], seeds: Sequence[int]) -> Crystals:
        asked.extend(zip(which, seeds, strict=True))
        return _tried(tries, which)

    best = BestOf(n=4, judge=judge).run(sample, _normal_score, [7, 8, 9])
    assert best.cart_coords[::2, 0].sub(EDGE / 2).tolist() == pytest.approx([1.0, 1.5, 0.5])
    assert asked[:3] == [(0, 7), (1, 8), (2, 9)]
    assert len({seed for _, seed in asked}) == 12  # every try has noise of its own
    ((_, seeds),) = judge.seen
    assert len(set(seeds)) == 3  # and all of a crystal are judged by the same


def _tried(tries: Sequence[Sequence[float]], which: Sequence[int]) -> Crystals:
    """The tries of these crystals, each time that one is asked for its next."""
    times: dict[int, int] = {}
    offsets = []
    for c in which:
        offsets.append(tries[times.get(c, 0)][c])
        times[c] = times.get(c, 0) + 1
    return _pairs(*offsets)


def test_a_mark_that_is_no_number_never_wins() -> None:
    tries = [(9.0,), (4.0,), (8.0,)]
    best = BestOf(n=3, judge=Nearest([])).run(lambda which, seeds: _tried(tries, which), _normal_score, [1])
    assert float(best.cart_coords[0, 0]) == pytest.approx(EDGE / 2 + 4.0)


def _second(samples: Sequence[Crystals], refused: torch.Tensor) -> torch.Tensor:
    """Of each crystal the sample of the second lowest mark, the first where that one is refused."""
    return torch.where(refused[1], 0, 1)


def test_the_last_word_is_asked_with_the_samples_in_the_order_of_their_marks() -> None:
    tries = [(3.0, 9.0, 2.0), (1.0, 8.0, 1.0), (2.0, 4.0, 0.5), (4.0, 7.0, 1.5)]
    choice = BestOf(n=4, judge=Nearest([]), final=_second)
    best = choice.run(lambda which, seeds: _tried(tries, which), _normal_score, [7, 8, 9])
    assert best.cart_coords[::2, 0].sub(EDGE / 2).tolist() == pytest.approx([2.0, 4.0, 1.0])


def test_the_last_word_is_told_which_tries_are_refused() -> None:
    told: list[torch.Tensor] = []

    @dataclass
    class Refusing:
        evaluations: int = 0

        def __call__(self, score: object, crystals: Crystals, generators: object) -> torch.Tensor:
            x = crystals.cart_coords[::2, 0] - EDGE / 2
            return torch.where(x > 8, torch.inf, torch.where(x > 5, torch.nan, x))

    def last(samples: Sequence[Crystals], refused: torch.Tensor) -> torch.Tensor:
        told.append(refused[:, 0])
        return torch.zeros(1, dtype=torch.long)

    tries = [(9.0,), (1.0,), (6.0,), (2.0,)]
    BestOf(n=4, judge=Refusing(), final=last).run(lambda which, seeds: _tried(tries, which), _normal_score, [1])
    assert told[0].tolist() == [False, False, True, True]


def test_one_try_is_not_judged() -> None:
    judge = Nearest([])
    BestOf(n=1, judge=judge).run(lambda which, seeds: _pairs(1.0), _normal_score, [1])
    assert judge.seen == []
    assert BestOf(n=1).evaluations == 0
    with pytest.raises(ValueError, match="best_of must be at least 1, got 0"):
        BestOf(n=0)


def test_tries_that_agree_are_enough_and_need_no_judge() -> None:
    tries = [(3.0, 2.0), (3.02, 1.0), (1.0, 4.0), (2.0, 1.5)]  # of the first crystal the first two agree
    judge = Nearest([])
    asked: list[list[int]] = []

    def sample(which: Sequence[int], seeds: Sequence[int]) -> Crystals:
        asked.append(list(which))
        return _tried(tries if len(asked) == 1 else tries[2:], which)

    best = BestOf(n=4, judge=judge, enough=2).run(sample, _normal_score, [7, 8])
    assert asked == [[0, 1, 0, 1], [1, 1]]
    assert best.cart_coords[::2, 0].sub(EDGE / 2).tolist() == pytest.approx([3.0, 1.0])
    assert [len(mark) for mark, _ in judge.seen] == [4]  # tries of the second crystal alone


def test_of_tries_that_agree_one_is_marked() -> None:
    judge = Nearest([])
    tries = [(3.0,), (1.0,), (3.03,), (1.02,), (2.0,)]
    best = BestOf(n=5, judge=judge).run(lambda which, seeds: _tried(tries, which), _normal_score, [7])
    assert [mark.tolist() for mark, _ in judge.seen] == [pytest.approx([3.0, 1.0, 2.0])]
    assert float(best.cart_coords[0, 0]) == pytest.approx(EDGE / 2 + 1.0)
    with pytest.raises(ValueError, match="enough must be at least 1, got 0"):
        BestOf(n=2, enough=0)


def test_tries_go_on_until_the_best_one_is_found_again() -> None:
    # twice 2 agree: enough; the best of 4 is found again among 8; found again among 4; never found again, 16 at most
    offsets = {
        0: [1.0] * 16,
        1: [5.0, 4.0, 3.0, 2.0, 4.0, 4.0, 2.0, 3.0] + [0.5] * 8,
        2: [3.0, 1.0, 2.0, 1.0] + [0.5] * 12,
        3: [4.9 - 0.3 * k for k in range(16)] + [0.0] * 16,
    }
    made = dict.fromkeys(offsets, 0)

    def sample(which: Sequence[int], seeds: Sequence[int]) -> Crystals:
        taken = []
        for c in which:
            taken.append(offsets[c][made[c]])
            made[c] += 1
        return _pairs(*taken)

    judge = Nearest([])
    choice = BestOf(n=4, judge=judge, enough=2, atoms=40)  # 16 tries of two atoms are 32, 32 tries 64
    best = choice.run(sample, _normal_score, [1, 2, 3, 4])
    assert list(made.values()) == [2, 8, 4, 16]
    assert best.cart_coords[::2, 0].sub(EDGE / 2).tolist() == pytest.approx([1.0, 2.0, 1.0, 0.4], abs=0.01)
    assert sum(len(mark) for mark, _ in judge.seen) == 4 + 3 + 16  # each distinct one once; what settled at once, never


def test_no_more_tries_than_asked_for_are_made_unless_atoms_allow_them() -> None:
    made = 0

    def sample(which: Sequence[int], seeds: Sequence[int]) -> Crystals:
        nonlocal made
        made += len(which)
        return _pairs(*(5 - 0.2 * k for k in range(made - len(which), made)))

    BestOf(n=4, judge=Nearest([]), enough=2).run(sample, _normal_score, [1])
    assert made == 4
