"""What is particular to the NequIP-type network: its cap on neighbours and the options it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from chggen.crystals.batch import Crystals
from chggen.diffusion.score_model import Noise
from chggen.errors import InputError
from chggen.score import build_score_model

_TINY: dict[str, Any] = {"hidden": "8x0e+6x1e+4x2e", "layers": 2, "cutoff": 4.0, "n_basis": 8, "radial_mlp": [8, 4]}


def test_a_cap_keeps_the_nearest_neighbours(random_crystal: Callable[..., Crystals]) -> None:
    crystal = random_crystal(np.array([[4.5, 0, 0], [2.0, 4.2, 0], [-1.5, 1.0, 5.0]]), 5)
    noise = Noise(sigma=torch.ones(5, dtype=torch.float64), tau=torch.zeros(1, dtype=torch.float64))

    def capped(most: int) -> Tensor:
        torch.manual_seed(0)
        return build_score_model("nequip", _TINY | {"max_neighbours": most}).double()(crystal, noise).atoms.detach()

    assert torch.equal(capped(10_000), capped(0))
    assert not torch.allclose(capped(3), capped(0), rtol=1e-2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"hidden": "8x0q"},
        {"hidden": "8x1o"},
        {"hidden": "8x0e+4x2e"},
        {"hidden": "8x0e+4x0o+4x1e"},
        {"hidden": "8x0e+8x0e+4x1o"},
        {"sigma_input": "sometimes"},
        {"radial_mlp": []},
        {"layers": 0},
    ],
)
def test_options_that_make_no_network_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        build_score_model("nequip", _TINY | wrong)
