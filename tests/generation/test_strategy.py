"""How each kind of start is sampled."""

from __future__ import annotations

import pytest

from chggen.generation.options import SamplerOptions
from chggen.generation.strategy import Kind, recipe_of
from chggen.potential.protocol import Potential
from chggen.sampling.recipes import Recipe


@pytest.mark.parametrize(("de_novo", "evaluations"), [(True, 1195), (False, 3585)])
def test_the_settings_of_the_paper(de_novo: bool, evaluations: int) -> None:
    """200 levels, a predictor and five corrector steps at each; in a host each ten are walked three times.

    The authors' code takes 1,194 and 3,474: it ends at the lowest level, where this takes a last step to the clean
    crystal, and walks the last levels once.
    """
    made = recipe_of(Kind(de_novo, False, False), SamplerOptions(anchor="paper"), None, _none)
    assert made.choice.n == 1
    assert _evaluations(made) == evaluations


def test_an_empty_host_is_filled_alike_by_all_other_anchors() -> None:
    first, second = (
        recipe_of(Kind(True, False, False), SamplerOptions(anchor=anchor), None, _none)
        for anchor in ("clamp", "renoise")
    )
    assert (first.schedule, first.walk, first.corrector) == (second.schedule, second.walk, second.corrector)
    assert _evaluations(first) < 200


def _evaluations(made: Recipe) -> int:
    """Evaluations of the network for a try: each step down, and the corrector's where it does not end at the clean."""
    n = made.schedule.n_levels
    down = [target for level, target in made.walk.steps(n) if target > level]
    return sum(1 + made.corrector.n_steps * (target < n) for target in down)


def _none() -> Potential:
    raise AssertionError("no potential is asked")
