"""The training task of the atoms: which atoms get how much noise, the noised crystals, and the score to learn."""

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
    """A batch of noised crystals and the score to learn.

    Attributes:
        crystals: The noised crystals.
        noise: Their noise levels, in Å for each atom; tau is 0.
        target: The score to learn in 1/Å, Cartesian, shape (atoms, 3).
    """

    crystals: Crystals
    noise: Noise
    target: Float[Tensor, "atoms 3"]

    def to(self, device: torch.device | str) -> Task:
        """Return the task on another device.

        Args:
            device: A device of torch.

        Returns:
            The same task there.
        """
        return Task(crystals=self.crystals.to(device), noise=self.noise.to(device), target=self.target.to(device))


def make_task(crystals: Crystals, options: NoiseOptions, rng: np.random.Generator) -> Task:
    """Draw noise levels and noise for a batch of crystals.

    The target is the score of the wrapped normal around the clean positions, with the part of a common shift removed.

    Args:
        crystals: Clean crystals on the CPU.
        options: The levels, and the mixture of joint and host/guest tasks.
        rng: Random numbers.

    Returns:
        The noised crystals, their levels and the score to learn.
    """
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
    """Return the denoising score matching loss of each crystal (paper, eq. 6).

    Args:
        model: The score model.
        task: A task on the model's device.

    Returns:
        ‖σ (s − target)‖² averaged over the crystal's atoms with σ > 0, without unit, shape (crystals,).
    """
    crystals = task.crystals
    score = model(crystals, task.noise).atoms
    return matching_loss(score, task.target, task.noise.sigma, crystals.crystal_index, crystals.n_crystals)


def _levels(crystals: Crystals, options: NoiseOptions, rng: np.random.Generator) -> np.ndarray:
    """The noise level of each atom, Å, shape (atoms,): one for the guests of a crystal, another for its host."""
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
    """A log-uniform level in Å, up to the crystal's sigma_max `top`; for the focus share from the focus band."""
    low, high = options.smallest, top
    if options.focus_share and rng.random() < options.focus_share and top > options.focus_smallest:
        low, high = options.focus_smallest, min(top, options.focus_largest)
    return _log_uniform(rng, low, max(high, 2 * low))


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number whose logarithm is uniform between those of the limits."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def draw_guests(species: np.ndarray, options: NoiseOptions, rng: np.random.Generator) -> np.ndarray:
    """Choose the guests of one crystal at random.

    They are all atoms of some species, some atoms of one species, a random subset of the atoms, or all atoms. The
    options give the shares of these choices.

    Args:
        species: Atomic numbers of the crystal, shape (atoms,).
        options: The shares, and the weight of mobile species.
        rng: Random numbers.

    Returns:
        True for guests, shape (atoms,). At least one atom is a guest.
    """
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
    """The probability of each species to be the guest, shape (kinds,)."""
    weights = np.where(np.isin(kinds, _MOBILE), options.mobile_weight, 1.0)
    return np.asarray(weights / weights.sum())


def _some(eligible: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A mask (atoms,) of a random non-empty subset of the eligible atoms, whose size is drawn uniformly."""
    candidates = np.flatnonzero(eligible)
    mask = np.zeros(len(eligible), dtype=bool)
    mask[rng.choice(candidates, size=int(rng.integers(1, len(candidates) + 1)), replace=False)] = True
    return mask
