"""The training task: which atoms carry how much noise, the perturbed crystals and the score to learn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from chggen.crystals import Crystals
from chggen.diffusion import Noise, ScoreModel, matching_loss, sigma_max, without_translation, wrapped_normal_score
from chggen.training.options import NoiseOptions

_MOBILE: Final = (1, 3, 4, 11, 12, 19, 20, 29, 30, 37, 38, 47, 55, 56)  # H, alkali, alkaline earth, Cu, Zn, Ag


@dataclass(frozen=True, kw_only=True)
class Task:
    """Perturbed crystals with their noise levels and the target score (atoms 3), 1/Å."""

    crystals: Crystals
    noise: Noise
    target: Float[Tensor, "atoms 3"]

    def to(self, device: torch.device | str) -> Task:
        return Task(crystals=self.crystals.to(device), noise=self.noise.to(device), target=self.target.to(device))


def make_task(crystals: Crystals, options: NoiseOptions, rng: np.random.Generator) -> Task:
    """Draw noise levels by the mixture of `options`, perturb, and compute the wrapped-normal target."""
    sigma = torch.from_numpy(_levels(crystals, options, rng)).to(crystals.frac_coords.dtype)
    unit = torch.from_numpy(rng.standard_normal(crystals.frac_coords.shape)).to(crystals.frac_coords.dtype)
    step = sigma[:, None] * unit
    target = wrapped_normal_score(step, sigma, crystals.lattice, crystals.crystal_index)
    target = without_translation(target, sigma, crystals.crystal_index, crystals.n_crystals)
    return Task(
        crystals=crystals.moved(step),
        noise=Noise(sigma=sigma, tau=torch.zeros(crystals.n_crystals, dtype=sigma.dtype)),
        target=target,
    )


def atom_losses(model: ScoreModel, task: Task) -> Float[Tensor, "crystals"]:
    """The matching loss of each crystal."""
    crystals = task.crystals
    score = model(crystals, task.noise).atoms
    return matching_loss(score, task.target, task.noise.sigma, crystals.crystal_index, crystals.n_crystals)


def _levels(crystals: Crystals, options: NoiseOptions, rng: np.random.Generator) -> np.ndarray:
    top = sigma_max(crystals.lattice, options.largest).numpy().astype(float)
    species = crystals.atomic_numbers.numpy()
    ends = np.cumsum(crystals.n_atoms.numpy())
    levels = np.zeros(len(species))
    for c, end in enumerate(ends):
        atoms = slice(0 if c == 0 else ends[c - 1], end)
        guest = draw_guests(species[atoms], options, rng)
        level = _draw_level(options, float(top[c]), rng)
        held = 0.0
        if not guest.all() and rng.random() < options.uncertain_host_share:
            held = _log_uniform(rng, options.uncertain_host_smallest, options.uncertain_host_largest)
        levels[atoms] = np.where(guest, level, held)
    return levels


def _draw_level(options: NoiseOptions, top: float, rng: np.random.Generator) -> float:
    """Log-uniform up to the crystal's own sigma_max (Å), for a share of the crystals within the band of interest."""
    low, high = options.smallest, top
    if options.focus_share and rng.random() < options.focus_share and top > options.focus_smallest:
        low, high = options.focus_smallest, min(top, options.focus_largest)
    return _log_uniform(rng, low, max(high, 2 * low))


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def draw_guests(species: np.ndarray, options: NoiseOptions, rng: np.random.Generator) -> np.ndarray:
    """A random guest mask (atoms,) for one crystal, at least one guest: by species, part of one, atoms, or all."""
    kinds = np.unique(species)
    u = rng.random()
    if u < options.species_share and len(kinds) > 1:
        n = 1 if rng.random() < 0.7 else int(rng.integers(1, len(kinds)))
        return np.isin(species, rng.choice(kinds, size=n, replace=False, p=_weights(kinds, options)))
    u -= options.species_share
    if 0 <= u < options.partial_share:
        return _some(species == rng.choice(kinds, p=_weights(kinds, options)), rng)
    if options.partial_share <= u < options.partial_share + options.atoms_share:
        return _some(np.ones(len(species), dtype=bool), rng)
    return np.ones(len(species), dtype=bool)


def _weights(kinds: np.ndarray, options: NoiseOptions) -> np.ndarray:
    """Probabilities of the species (kinds,) to be guests."""
    weights = np.where(np.isin(kinds, _MOBILE), options.mobile_weight, 1.0)
    return np.asarray(weights / weights.sum())


def _some(eligible: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random non-empty subset of the eligible atoms, of a uniformly drawn size."""
    candidates = np.flatnonzero(eligible)
    mask = np.zeros(len(eligible), dtype=bool)
    mask[rng.choice(candidates, size=int(rng.integers(1, len(candidates) + 1)), replace=False)] = True
    return mask
