"""De novo crystals: the same however they are computed, in the space group asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import chggen
from chggen.campaign import resources as resources
from chggen.errors import InputError
from chggen.results.candidate import Candidate
from chggen.symmetry.detection import group_of, space_group


def _same(some: Sequence[Candidate], others: Sequence[Candidate]) -> None:
    by_id = {c.id: c for c in others}
    assert {c.id for c in some} == set(by_id)
    for c in some:
        other = by_id[c.id]
        assert c.seed == other.seed
        assert c.raw is not None
        assert other.raw is not None
        assert c.raw == other.raw
        assert np.array_equal(c.raw.frac_coords, other.raw.frac_coords)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_candidates_do_not_depend_on_the_batch_size(batch_size: int) -> None:
    def made(size: int) -> list[Candidate]:
        return chggen.generate("MgO", n=4, formula_units=[1, 2], levels=12, relax=False, workers=1, batch_size=size)

    _same(made(8), made(batch_size))


def test_another_seed_gives_other_candidates_and_more_candidates_keep_the_first() -> None:
    def made(seed: int, n: int) -> list[Candidate]:
        return chggen.generate("MgO", n=n, seed=seed, levels=4, relax=False, workers=1)

    first = made(0, 2)
    _same(first, made(0, 3)[:2])
    other = made(1, 2)[0]
    assert first[0].raw is not None
    assert other.raw is not None
    assert np.abs(first[0].raw.frac_coords - other.raw.frac_coords).max() > 0.1


def test_without_relaxation_the_raw_structures_come_back() -> None:
    found = chggen.generate("Cu", n=2, levels=4, relax=False, workers=1)
    assert len(found) == 2
    for c in found:
        assert c.raw is not None
        assert c.structure == c.raw
        assert c.energy_per_atom is c.level is c.relax_steps is c.converged is c.n_found is None


def test_symmetric_candidates_contain_their_group_whatever_the_batches() -> None:
    def made(**machine: Any) -> list[Candidate]:
        return chggen.generate(
            "MgO", n=4, space_group="auto", formula_units=[2], levels=4, best_of=2, relax=False, **machine
        )

    alone = made(workers=1, batch_size=1)
    assert len(alone) == 4
    _same(alone, made(workers=1, batch_size=4))
    for c in alone:
        assert c.raw is not None
        assert (space_group(c.raw, 1e-4) or 0) > 2
        assert c.seed_source == "space-group"


def test_a_chosen_space_group_is_a_part_of_what_comes() -> None:
    found = chggen.generate("MgO", n=3, space_group=62, formula_units=[4], levels=4, relax=False, workers=1)
    assert len(found) == 3
    for c in found:
        assert c.raw is not None
        group = group_of(c.raw, 1e-4)
        assert group is not None
        assert len(group) % 8 == 0  # the order of mmm
    with pytest.raises(InputError, match=r"do not fit space group 62 .* formula units that fit: 4, 8, 12"):
        chggen.generate("MgO", n=1, space_group=62, formula_units=[1], relax=False)
