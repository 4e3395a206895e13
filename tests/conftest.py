"""Annotations of shapes and types are checked by beartype under pytest only (design law 2); fixtures of the tests.

A test with the argument `any_space_group` runs for a sample of the space groups, and for all 230 of them with `--full`
or with CHGGEN_TEST_FULL=1 in the environment.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

# One thread for the matrices of NumPy and SciPy, which are small here: more only wait for each other. Before they load.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

# What the package imports is loaded before it: under the import hook, all of that would be compiled each time.
import ase.build  # noqa: F401
import e3nn.o3  # noqa: F401
import hypothesis
import numpy as np
import pymatgen.core  # noqa: F401
import pytest
import torch
from tests import shape_checks

shape_checks.install("chggen")

import chggen  # noqa: E402
from chggen.crystals.batch import Crystals  # noqa: E402
from chggen.execution import isolation  # noqa: E402
from chggen.results.candidate import Candidate  # noqa: E402

torch.set_num_threads(1)

# A busy machine takes longer for an example; that says nothing of the code.
hypothesis.settings.register_profile("chggen", deadline=None)
hypothesis.settings.load_profile("chggen")

# One or more of each of the 32 crystal classes and of each centring (P, C, A, I, F, R); groups of two origins (48, 68,
# 70, 85, 88, 141, 201, 227); rhombohedral ones (146, 148, 155, 161, 166); monoclinic ones with a glide plane that other
# cells name differently (9, 14, 15); screw axes without mirrors (173, 178, 214); the commonest ones (14, 62, 194, 225).
_SAMPLE = (
    1, 2, 5, 9, 14, 15, 22, 41, 48, 62, 68, 70, 80, 82, 85, 88, 98, 110, 122, 141,
    146, 148, 155, 161, 166, 173, 174, 176, 178, 186, 190, 194, 197, 201, 214, 220, 225, 227, 229, 230,
)  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="all 230 space groups instead of a sample of 40")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "any_space_group" in metafunc.fixturenames:
        full = metafunc.config.getoption("full") or os.environ.get("CHGGEN_TEST_FULL", "") not in ("", "0")
        metafunc.parametrize("any_space_group", range(1, 231) if full else _SAMPLE)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    shape_checks.begin_anew()
    isolation._Isolation.wanted = False  # tests of the command line ask for it, in the process of the others


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


@pytest.fixture(scope="session")
def predict_alloy() -> Callable[..., list[Candidate]]:
    """The whole workflow for Cu3Au with a cheap potential; options may be changed."""

    def predict(**changes: Any) -> list[Candidate]:
        quick: dict[str, Any] = {
            "levels": 6,
            "n_resample": 1,
            "best_of": 2,
            "potential": "ase:ase.calculators.emt:EMT",
            "workers": 1,
            "fmax": 0.2,
        }
        options = {"guests": ["Cu"], "cells_from": ["bravais"], "n": 4, "formula_units": [1], **quick, **changes}
        return chggen.predict("Cu3Au", **options)

    return predict


@pytest.fixture(scope="session")
def alloy_run(
    predict_alloy: Callable[..., list[Candidate]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[Candidate], Path]:
    """One uninterrupted run that several tests look at: its candidates and its folder."""
    folder = tmp_path_factory.mktemp("run")
    return predict_alloy(out=folder, batch_size=2), folder
