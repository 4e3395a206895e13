"""The validation loss: over fixed crystals and fixed noise, in all and by band of noise level."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Final

import numpy as np
import torch
from torch import nn

from chggen.training.cell_shape_task import CellShapes, make_shape_task, shape_losses
from chggen.training.dataset import Dataset
from chggen.training.denoising_task import atom_losses, make_task
from chggen.training.options import TrainingOptions

_BANDS: Final = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, math.inf)  # limits of the bands, Å


@torch.no_grad()
def validation_loss(model: nn.Module, data: Dataset, options: TrainingOptions, device: str) -> dict[str, float]:
    """Return the mean loss over fixed crystals with fixed noise.

    Noise levels are log-uniform and all species equally likely to be guests, whatever `focus_share` and `mobile_weight`
    of the training are. Losses of runs that differ in these can therefore be compared.

    Args:
        model: A score model on the device.
        data: Crystals that are not trained on.
        options: Options of the training, which give the number of crystals and the mixture of tasks.
        device: A device of torch.

    Returns:
        Losses by name, without unit, rounded to 4 digits: `loss` over all crystals; `loss LOW-HIGH` over those whose
        largest sigma lies in the band, in Å; `loss strain` of the strain score, if the model has one. A band without
        crystals is left out.
    """
    n = min(options.data.validation_crystals, len(data))
    chosen = np.random.default_rng(7).permutation(len(data))[:n]
    noise = dataclasses.replace(options.noise, focus_share=0.0, mobile_weight=1.0)
    losses, levels = [], []
    for k, indices in enumerate(np.array_split(chosen, math.ceil(n / 32))):
        task = make_task(data.take(indices), noise, np.random.default_rng([7, k])).to(device)
        losses.append(atom_losses(model, task))
        widest = torch.zeros(task.crystals.n_crystals, device=device)
        levels.append(widest.scatter_reduce(0, task.crystals.crystal_index, task.noise.sigma, "amax"))
    loss, level = torch.cat(losses), torch.cat(levels)
    result = {"loss": round(float(loss.mean()), 4)}
    for low, high in itertools.pairwise(_BANDS):
        band = loss[(level > low) & (level <= high)]
        if len(band):
            result[f"loss {low:g}-{high:g}"] = round(float(band.mean()), 4)
    if getattr(model, "strain", None) is not None:
        result["loss strain"] = _shape_loss(model, data, chosen, device)
    return result


def _shape_loss(model: nn.Module, data: Dataset, chosen: np.ndarray, device: str) -> float:
    """Mean loss of the strain score over the chosen crystals."""
    shapes = CellShapes(data.lattice)
    losses = []
    for k, indices in enumerate(np.array_split(chosen, math.ceil(len(chosen) / 32))):
        drawn = make_shape_task(data.take(indices), shapes.of(indices), np.random.default_rng([8, k]))
        losses.append(shape_losses(model, drawn.to(device)))
    return round(float(torch.cat(losses).mean()), 4)
