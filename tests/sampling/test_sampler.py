"""The denoising loop against laws whose answers are known, and what it must leave alone.

The toy: atoms of a joint Gaussian in a periodic cell, with its exact score at any noise of each atom.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from chggen.crystals import Crystals, Noise, Score, batch
from chggen.diffusion.schedule import Schedule
from chggen.sampling.anchor import Anchor, Clamp, Renoise
from chggen.sampling.noise_source import generators_from
from chggen.sampling.recipes import Recipe, recipe
from chggen.sampling.sampler import sample
from chggen.sampling.steps import NO_CORRECTOR, Ancestral, Langevin, Predictor, ProbabilityFlow
from chggen.sampling.walk import Walk

EDGE = 20.0  # Å
CENTER = 10.0
HOST = 1.5  # where the host atom stands, from the centre
CONDITIONAL = (1.350, 0.436)  # mean and sd of the guest given the host, at correlation 0.9


IMAGES = 2  # lattice images each way: at sigma = EDGE / 2 the next ones weigh 1e-5


@dataclass(frozen=True)
class ExactScore:
    """Score, on the torus, of groups of atoms jointly normal around the centre, each Cartesian component alike."""

    covariance: tuple[tuple[float, ...], ...]  # Å², between the atoms of a group

    def __call__(self, crystals: Crystals, noise: Noise) -> Score:
        size = len(self.covariance)
        sigma = noise.sigma.double().reshape(-1, size)
        precision = torch.linalg.inv(torch.tensor(self.covariance, dtype=torch.float64) + torch.diag_embed(sigma**2))
        off = (crystals.cart_coords.double() - CENTER).reshape(-1, size, 3).transpose(1, 2)
        shifts = EDGE * torch.arange(-IMAGES, IMAGES + 1, dtype=torch.float64)
        images = off[:, :, None] + torch.cartesian_prod(*[shifts] * size).reshape(-1, size)
        pull = torch.einsum("gcia,gab->gcib", images, precision)
        weights = torch.softmax(-0.5 * (pull * images).sum(-1), dim=-1)
        score = -(weights[..., None] * pull).sum(2).transpose(1, 2).reshape(-1, 3)
        return Score(atoms=(score * (noise.sigma > 0)[:, None]).to(crystals.frac_coords))


PAIR = ExactScore(((1.0, 0.9), (0.9, 1.0)))


def _lone_atoms(n_crystals: int) -> Crystals:
    return Crystals(
        frac_coords=torch.zeros(n_crystals, 3, dtype=torch.float64),
        lattice=EDGE * torch.eye(3, dtype=torch.float64).repeat(n_crystals, 1, 1),
        atomic_numbers=torch.full((n_crystals,), 3),
        crystal_index=torch.arange(n_crystals),
        guest=torch.ones(n_crystals, dtype=torch.bool),
    )


def _pairs(n_crystals: int, pairs_each: int) -> Crystals:
    """Crystals of pairs of a host atom at HOST in every component, and a guest."""
    n = 2 * n_crystals * pairs_each
    host = torch.arange(n) % 2 == 0
    stand = torch.where(host, (CENTER + HOST) / EDGE, 0.0).double()
    return Crystals(
        frac_coords=stand[:, None].repeat(1, 3),
        lattice=EDGE * torch.eye(3, dtype=torch.float64).repeat(n_crystals, 1, 1),
        atomic_numbers=torch.full((n,), 3),
        crystal_index=torch.arange(n) // (2 * pairs_each),
        guest=~host,
    )


def _guest_moments(crystals: Crystals) -> tuple[float, float]:
    """Mean and sd of the guests' components from the centre, Å."""
    off = (crystals.cart_coords - CENTER)[crystals.guest]
    return float(off.mean()), float(off.std())
