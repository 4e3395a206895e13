"""The second training task: shapes of cells, noised, with the strain score to learn (see diffusion.strain)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from chggen.crystals import Crystals, niggli_reduced
from chggen.diffusion import SPREAD, Noise, ScoreModel, aligned, isotropic_metric, kept, shape_noise, strained

_LOW, _HIGH = 0.02, 0.999  # τ, uniform between
_CUBES: Final = 0.5  # share of the crystals whose strain is counted from a cube, not from the cell of their class
_SAME: Final = 0.02  # relative difference of squared lengths and products that a rotation of the lattice may make
_SHORT: Final = np.array([v for v in itertools.product((-1, 0, 1), repeat=3) if any(v)])


@dataclass(frozen=True, kw_only=True)
class ShapeTask:
    """Crystals in noised cells (atoms count by their species alone), their levels and the strain score to learn."""

    crystals: Crystals
    noise: Noise
    target: Float[Tensor, "crystals 3 3"]

    def to(self, device: torch.device | str) -> ShapeTask:
        return ShapeTask(crystals=self.crystals.to(device), noise=self.noise.to(device), target=self.target.to(device))


class CellShapes:
    """Reduced cells and the references of their Bravais classes, worked out when first needed."""

    def __init__(self, lattice: Float[np.ndarray, "crystals 3 3"]) -> None:
        self._given = lattice
        self._known: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def of(self, indices: np.ndarray) -> tuple[Tensor, Tensor]:
        """Cells and references (crystals, 3, 3) of the crystals at these indices."""
        for i in indices.tolist():
            if i not in self._known:
                cell = niggli_reduced(self._given[i])
                self._known[i] = (cell, class_reference(cell))
        cells, references = zip(*(self._known[i] for i in indices.tolist()), strict=True)
        return torch.tensor(np.array(cells)), torch.tensor(np.array(references))


def class_reference(cell: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    """The most isotropic cell of the Bravais class of a reduced one: rows, volume 1."""
    metric = isotropic_metric(torch.tensor(np.array(_rotations(cell)), dtype=torch.float64))
    return np.asarray(torch.linalg.cholesky(metric))


def _rotations(cell: np.ndarray) -> list[np.ndarray]:
    """Unimodular W (rows of lattice coordinates) that keep the metric; the identity alone where they make no group."""
    metric = cell @ cell.T
    size = np.sqrt(np.diag(metric))
    lengths = np.einsum("vi,ij,vj->v", _SHORT, metric, _SHORT)
    images = [_SHORT[np.abs(lengths - metric[i, i]) < _SAME * metric[i, i]] for i in range(3)]
    found = []
    for first, second in itertools.product(images[0], images[1]):
        if abs(first @ metric @ second - metric[0, 1]) > _SAME * size[0] * size[1]:
            continue
        for third in images[2]:
            off = np.abs([first @ metric @ third - metric[0, 2], second @ metric @ third - metric[1, 2]])
            w = np.array([first, second, third])
            if (off < _SAME * size[:2] * size[2]).all() and abs(round(np.linalg.det(w))) == 1:
                found.append(w)
    return found if len(found) in (2, 4, 8, 12, 16, 24, 48) else [np.eye(3, dtype=int)]


def make_shape_task(crystals: Crystals, shapes: tuple[Tensor, Tensor], rng: np.random.Generator) -> ShapeTask:
    """Draw levels and references, strain the cells."""
    cells, references = shapes
    n = len(cells)
    cube = torch.from_numpy(rng.random(n) < _CUBES)[:, None, None]
    reference, clean = aligned(torch.where(cube, torch.eye(3, dtype=cells.dtype), references), cells)
    tau = torch.from_numpy(rng.uniform(_LOW, _HIGH, n))
    unit = shape_noise(torch.from_numpy(rng.standard_normal((n, 5))))
    strain = kept(tau)[:, None, None] * clean + (SPREAD * tau)[:, None, None] * unit
    noised = replace(crystals, lattice=strained(reference, strain).float())
    sigma = torch.full((len(crystals.atomic_numbers),), torch.inf)
    return ShapeTask(
        crystals=noised,
        noise=Noise(sigma=sigma, tau=tau.float(), reference=reference.float()),
        target=(-unit / (SPREAD * tau)[:, None, None]).float(),
    )


def shape_losses(model: ScoreModel, task: ShapeTask) -> Float[Tensor, "crystals"]:
    """Squared error of √(1 − τ²) Z − τ S_0 / SPREAD, a component: the score's times τ SPREAD / √(1 − τ²).

    Bounded at either end (Salimans & Ho, ICLR 2022), and about 1 for a model that says nothing.
    """
    found = model(task.crystals, task.noise).strain
    assert found is not None, "only a model with a strain score is asked"
    weight = task.noise.tau * SPREAD / kept(task.noise.tau)
    losses: Tensor = ((weight[:, None, None] * (found - task.target)) ** 2).sum((1, 2)) / 5
    return losses
