"""Annotations of shapes and types are checked by beartype under pytest only (design law 2); fixtures of the tests."""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import install_import_hook

install_import_hook("chggen", "beartype.beartype")

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402

from chggen.crystals.batch import Crystals  # noqa: E402

torch.set_num_threads(1)


@pytest.fixture
def random_crystal() -> Callable[..., Crystals]:
    """A maker of one random crystal: lattice (3, 3) in Å, atoms uniform in it, species of a few elements."""

    def make(lattice: np.ndarray, n_atoms: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Crystals:
        rng = np.random.default_rng(seed)
        return Crystals(
            frac_coords=torch.from_numpy(rng.random((n_atoms, 3))).to(dtype),
            lattice=torch.from_numpy(np.asarray(lattice, dtype=float).copy())[None].to(dtype),
            atomic_numbers=torch.from_numpy(rng.choice([3, 8, 15, 16, 30], n_atoms)),
            crystal_index=torch.zeros(n_atoms, dtype=torch.long),
            guest=torch.from_numpy(rng.random(n_atoms) < 0.5),
        )

    return make
