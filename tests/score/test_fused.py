"""The arranged network gives the numbers of its modules, for any batch, and forgets a batch when another comes."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from chggen.crystals.batch import Crystals, collate
from chggen.diffusion.score_model import Noise
from chggen.score import build_score_model, load_score_model
from chggen.score.nequip import NequipScore

_OPTIONS: dict[str, dict[str, Any]] = {
    "both parities": {"hidden": "8x0e+4x0o+6x1o+3x1e+4x2e", "lengths": True},
    "even": {"hidden": "8x0e+6x1e+4x2e", "sigma_input": "none"},
    "vectors": {"hidden": "8x0e+6x1o", "l_max": 1, "radial_mlp": [8, 6, 4]},
    "capped": {"hidden": "8x0e+6x1o+4x2e", "max_neighbours": 7},
}


def _model(options: dict[str, Any], dtype: torch.dtype = torch.float64) -> NequipScore:
    torch.manual_seed(0)
    model = build_score_model("nequip", {"layers": 3, "cutoff": 4.0, "n_basis": 8, "radial_mlp": [8, 4], **options})
    assert isinstance(model, NequipScore)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model.to(dtype).eval()


def _cube(n_atoms: int) -> np.ndarray:
    """A cell of 12 Å³ for each atom."""
    return np.asarray((12 * n_atoms) ** (1 / 3) * np.eye(3))


def _batch(random_crystal: Callable[..., Crystals], sizes: Sequence[int], dtype: torch.dtype) -> tuple[Crystals, Noise]:
    edges = [(12 * n) ** (1 / 3) for n in sizes]
    crystals = collate(
        [random_crystal(e * np.eye(3), n, seed=n, dtype=dtype) for n, e in zip(sizes, edges, strict=True)]
    )
    sigma = torch.from_numpy(np.exp(np.random.default_rng(0).uniform(-3, 1, sum(sizes)))).to(dtype)
    sigma[::3] = 0
    return crystals, Noise(sigma=sigma, tau=torch.zeros(len(sizes), dtype=dtype))


@pytest.mark.parametrize("sizes", [[1], [3], [5, 1, 7, 5, 5], [70], [20, 20, 20, 20], [140, 3]])
@pytest.mark.parametrize("name", _OPTIONS)
def test_it_gives_the_numbers_of_the_modules(
    random_crystal: Callable[..., Crystals], name: str, sizes: list[int]
) -> None:
    model = _model(_OPTIONS[name])
    crystals, noise = _batch(random_crystal, sizes, torch.float64)
    with torch.no_grad():
        by_modules = model(crystals, noise).atoms
        model.arrange()
        arranged = model(crystals, noise).atoms
    assert torch.allclose(arranged, by_modules, atol=1e-9 * float(by_modules.abs().max()))


def test_the_shipped_network_gives_the_numbers_of_its_modules(random_crystal: Callable[..., Crystals]) -> None:
    model = load_score_model()
    by_modules = copy.deepcopy(model)
    assert isinstance(by_modules, NequipScore)
    by_modules.release()
    crystals, noise = _batch(random_crystal, [3, 12, 12, 40, 80], torch.float32)
    with torch.no_grad():
        expected, found = (m(crystals, noise).atoms * noise.sigma[:, None] for m in (by_modules, model))
    assert not torch.equal(expected, found)  # by another way
    assert float((expected - found).abs().max()) < 1e-5 * float(expected.abs().max())


def test_no_digit_depends_on_what_is_beside_it(random_crystal: Callable[..., Crystals]) -> None:
    model = load_score_model()
    sizes = [1, 2, 5, 5, 5, 16, 20, 20, 33, 64, 70]
    singles = [
        random_crystal((12 * n) ** (1 / 3) * np.eye(3), n, seed=k, dtype=torch.float32) for k, n in enumerate(sizes)
    ]

    def scores(which: Sequence[int]) -> list[torch.Tensor]:
        crystals = collate([singles[k] for k in which])
        sigma = torch.full((len(crystals.atomic_numbers),), 0.4)
        with torch.no_grad():
            found = model(crystals, Noise(sigma=sigma, tau=torch.zeros(len(which)))).atoms
        return list(found.split([sizes[k] for k in which]))

    alone = [scores([k])[0] for k in range(len(sizes))]
    for seed in range(5):
        which = np.random.default_rng(seed).permutation(len(sizes))[: 4 + seed].tolist()
        for k, found in zip(which, scores(which), strict=True):
            assert torch.equal(found, alone[k])


def test_other_cells_species_or_orders_are_noticed(random_crystal: Callable[..., Crystals]) -> None:
    model = _model(_OPTIONS["both parities"])
    crystals, noise = _batch(random_crystal, [3, 4], torch.float64)
    changes = [
        {"frac_coords": (crystals.frac_coords + 0.1 * torch.rand_like(crystals.frac_coords)) % 1},
        {"lattice": 1.1 * crystals.lattice},
        {"atomic_numbers": crystals.atomic_numbers.roll(1)},
    ]
    for change in ({}, *changes):
        changed = dataclasses.replace(crystals, **change)
        with torch.no_grad():
            model.release()
            expected = model(changed, noise).atoms
            model.arrange()
            model(crystals, noise)  # what is kept of it must not be taken for the other
            found = model(changed, noise).atoms
        assert torch.allclose(found, expected, atol=1e-9 * float(expected.abs().max()))


def test_gradients_and_another_precision_go_through_the_modules(random_crystal: Callable[..., Crystals]) -> None:
    model = _model(_OPTIONS["both parities"])
    model.arrange()
    crystals, noise = _batch(random_crystal, [3], torch.float64)
    model(crystals, noise).atoms.sum().backward()
    assert model.species.weight.grad is not None
    half, coarse = crystals.to("cpu", torch.float32), Noise(sigma=noise.sigma.float(), tau=noise.tau.float())
    with torch.no_grad():
        assert model.float()(half, coarse).atoms.dtype == torch.float32
