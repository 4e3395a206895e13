"""The training task of cell shapes: reference cells, noised cells, and the strain score to learn.

The noise is that of `chggen.diffusion.strain`.
"""

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

_LOW, _HIGH = 0.02, 0.999  # limits of τ, which is uniform
_CUBES: Final = 0.5  # share of the crystals whose strain is counted from a cube, not from the cell of their class
_SAME: Final = 0.02  # relative difference of squared lengths and dot products that still counts as none
_SHORT: Final = np.array([v for v in itertools.product((-1, 0, 1), repeat=3) if any(v)])


@dataclass(frozen=True, kw_only=True)
class ShapeTask:
    """A batch of crystals in noised cells and the strain score to learn.

    Attributes:
        crystals: Crystals in their noised cells. Of the atoms only the species matter.
        noise: The level tau of each crystal, and its reference cell; sigma is infinite.
        target: The strain score to learn, without unit, shape (crystals, 3, 3).
    """

    crystals: Crystals
    noise: Noise
    target: Float[Tensor, "crystals 3 3"]

    def to(self, device: torch.device | str) -> ShapeTask:
        """Return the task on another device.

        Args:
            device: A device of torch.

        Returns:
            The same task there.
        """
        return ShapeTask(crystals=self.crystals.to(device), noise=self.noise.to(device), target=self.target.to(device))


class CellShapes:
    """The Niggli-reduced cells of a data set with their reference cells. Each is computed when first asked for.

    Args:
        lattice: Lattice vectors in Å as rows, shape (crystals, 3, 3).
    """

    def __init__(self, lattice: Float[np.ndarray, "crystals 3 3"]) -> None:
        self._given = lattice
        self._known: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def of(self, indices: np.ndarray) -> tuple[Tensor, Tensor]:
        """Return reduced cells and reference cells.

        Args:
            indices: Numbers of crystals in the data set, shape (batch,).

        Returns:
            Reduced cells in Å, and reference cells of volume 1, each of shape (batch, 3, 3).
        """
        for i in indices.tolist():
            if i not in self._known:
                cell = niggli_reduced(self._given[i])
                self._known[i] = (cell, class_reference(cell))
        cells, references = zip(*(self._known[i] for i in indices.tolist()), strict=True)
        return torch.tensor(np.array(cells)), torch.tensor(np.array(references))


def class_reference(cell: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    """Return the most isotropic cell of the Bravais class of a reduced cell.

    Args:
        cell: A reduced cell, rows in Å, shape (3, 3).

    Returns:
        The reference cell as rows, of volume 1, shape (3, 3). It is a cube where inversion is the only symmetry.
    """
    metric = isotropic_metric(torch.tensor(np.array(_rotations(cell)), dtype=torch.float64))
    return np.asarray(torch.linalg.cholesky(metric))


def _rotations(cell: np.ndarray) -> list[np.ndarray]:
    """The rotations of the lattice, as integer matrices (3, 3) whose row i is the image of lattice vector i.

    They keep the metric within a tolerance. Matrices found may then not make up a group: if their number is not the
    order of a lattice's point group, the identity alone is returned.
    """
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
    """Draw noise levels and noise for the cells of a batch.

    Args:
        crystals: The crystals, of which the species are used.
        shapes: Reduced cells in Å and reference cells, each of shape (crystals, 3, 3), as `CellShapes.of` gives them.
            For half of the crystals a cube is the reference instead.
        rng: Random numbers.

    Returns:
        The noised cells, their levels and the strain score to learn.
    """
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
    """Return the loss of the strain score of each crystal.

    It is the mean squared error, over the five components, of √(1 − τ²) Z − τ S_0 / SPREAD, where Z is the noise and
    S_0 the clean strain. That is the error of the score times τ SPREAD / √(1 − τ²). Unlike the error of the score it
    stays finite at both ends of τ (Salimans & Ho, ICLR 2022). It is about 1 for a model that predicts 0.

    Args:
        model: A score model with a strain score.
        task: A task on the model's device.

    Returns:
        Losses without unit, shape (crystals,).
    """
    found = model(task.crystals, task.noise).strain
    assert found is not None, "only a model with a strain score is asked"
    weight = task.noise.tau * SPREAD / kept(task.noise.tau)
    losses: Tensor = ((weight[:, None, None] * (found - task.target)) ** 2).sum((1, 2)) / 5
    return losses
