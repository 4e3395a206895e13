"""The task of learning shapes: what is known of a cell's class, and what the perfect answer would score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from chggen.crystals.batch import Crystals
from chggen.crystals.lattice import lattice_from_parameters
from chggen.diffusion.score_model import Noise, Score
from chggen.diffusion.strain import SPREAD, aligned, kept
from chggen.training.cell_shape_task import CellShapes, class_reference, make_shape_task, shape_losses


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ((4, 4, 4, 90, 90, 90), (1, 1, 1, 90, 90, 90)),
        ((4, 5, 7, 90, 90, 90), (1, 1, 1, 90, 90, 90)),
        ((4, 4, 9, 90, 90, 120), (1, 1, None, 90, 90, 120)),
        ((4, 4, 4, 60, 60, 60), (1, 1, 1, 60, 60, 60)),
        ((4, 5, 6, 81, 83, 86), (1, 1, 1, 90, 90, 90)),  # of no class: a cube
    ],
)
def test_the_reference_is_the_most_isotropic_cell_of_the_class(
    parameters: tuple[float, ...], expected: tuple[float | None, ...]
) -> None:
    from pymatgen.core import Lattice

    found = Lattice(class_reference(lattice_from_parameters(np.array(parameters))))
    assert found.volume == pytest.approx(1)
    shape = (1, found.b / found.a, found.c / found.a, *found.angles)
    assert all(e is None or s == pytest.approx(e, abs=0.1) for s, e in zip(shape, expected, strict=True))


def _crystals(n: int) -> tuple[Crystals, CellShapes]:
    rng = np.random.default_rng(0)
    cells = 4 * np.eye(3) + rng.normal(0, 0.5, (n, 3, 3))
    crystals = Crystals(
        frac_coords=torch.zeros(n, 3),
        lattice=torch.tensor(cells, dtype=torch.float32),
        atomic_numbers=torch.full((n,), 3),
        crystal_index=torch.arange(n),
        guest=torch.ones(n, dtype=torch.bool),
    )
    return crystals, CellShapes(cells)


@dataclass
class Knowing:
    """A model that was told the clean cells; share: of their strain that it believes."""

    clean: torch.Tensor
    share: float = 1.0

    def __call__(self, crystals: Crystals, noise: Noise) -> Score:
        assert noise.reference is not None
        reference, strain = aligned(noise.reference.double(), crystals.lattice.double())
        _, own = aligned(reference, self.clean.double())
        tau = noise.tau.double()[:, None, None]
        unit = (strain - self.share * kept(noise.tau.double())[:, None, None] * own) / (tau * SPREAD)
        return Score(atoms=torch.zeros_like(crystals.frac_coords), strain=(-unit / (tau * SPREAD)).float())


def test_who_knows_the_cell_has_no_loss_and_who_does_not_has_some() -> None:
    crystals, shapes = _crystals(64)
    of = shapes.of(np.arange(64))
    task = make_shape_task(crystals, of, np.random.default_rng(1))
    assert float(shape_losses(Knowing(of[0]), task).max()) < 1e-3
    assert float(shape_losses(Knowing(of[0], 0.0), task).mean()) > 0.05


def test_half_of_the_strains_are_counted_from_a_cube() -> None:
    crystals, _ = _crystals(400)
    hexagonal = np.repeat(lattice_from_parameters(np.array([4, 4, 7, 90, 90, 120]))[None], 400, axis=0)
    of = CellShapes(hexagonal).of(np.arange(400))
    task = make_shape_task(crystals, of, np.random.default_rng(1))
    reference = task.noise.reference
    assert reference is not None
    metric = reference @ reference.transpose(-1, -2)
    square = (metric[:, 0, 1].abs() < 1e-3 * metric[:, 0, 0]).double().mean()
    assert float(square) == pytest.approx(0.5, abs=0.08)
