"""The denoising loop. There is only one, since de novo generation is inpainting with an empty host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from chggen.crystals import Crystals
from chggen.diffusion import Noise, Schedule, ScoreModel
from chggen.sampling.anchor import Anchor, Clamp
from chggen.sampling.corrector import NO_CORRECTOR, Langevin
from chggen.sampling.orbit_noise import NO_SYMMETRY, Symmetry
from chggen.sampling.predictors import Ancestral, History, Predictor
from chggen.sampling.random_numbers import normal, uniform
from chggen.sampling.resampling import Walk


@torch.no_grad()
def sample(
    score: ScoreModel,
    crystals: Crystals,
    schedule: Schedule,
    *,
    predictor: Predictor = Ancestral(),
    corrector: Langevin = NO_CORRECTOR,
    anchor: Anchor = Clamp(),
    walk: Walk = Walk(),
    symmetry: Symmetry = NO_SYMMETRY,
    perturb: bool = False,
    generators: Sequence[torch.Generator],
    on_move: Callable[[int, int], None] = lambda done, total: None,
) -> Crystals:
    """Sample the positions of the guest atoms, given the host.

    Positions are kept in the dtype of `crystals`, for which float64 is advised. The network works in float32.

    Args:
        score: The score network.
        crystals: A batch of crystals. `guest` tells which atoms are sampled. The positions of the guests do not matter
            unless `perturb` is set.
        schedule: The noise levels.
        predictor: Takes the guests from one level to the next.
        corrector: Steps at each level after the predictor.
        anchor: Holds the host.
        walk: The order in which the levels are visited.
        symmetry: Where guests start and which displacements keep them on their orbits.
        perturb: Start the guests from their input positions, or those on their orbits, moved by noise of the schedule's
            top level (SDEdit, Meng et al., ICLR 2022). Otherwise they start uniform in the cell or on their orbits.
        generators: Random numbers, one generator for each crystal.
        on_move: Called after each step with the number of steps done and of all steps.

    Returns:
        The crystals with sampled guests. Host atoms are those handed in, bit for bit.

    Example:
        Four samples of the guests of one host, by a network loaded with `chggen.score.load_score_model`:

            crystals = collate([host] * 4)
            generators = generators_from([0, 1, 2, 3])
            made = sample(score, crystals, Schedule(n_levels=50), predictor=Refresh(), generators=generators)
    """
    loop = _Loop(score, crystals, schedule, anchor, symmetry, generators)
    if perturb:
        loop.perturb()
    else:
        loop.start()
    steps = walk.steps(schedule.n_levels)
    for done, (level, target) in enumerate(steps, 1):
        if target < level:
            loop.jump(level, target)
        else:
            loop.predict(level, target, predictor)
            loop.correct(target, corrector)
        on_move(done, len(steps))
    held = torch.where(crystals.guest[:, None], loop.now.frac_coords, crystals.frac_coords)
    return replace(crystals, frac_coords=held)


class _Loop:
    """The crystals while they are sampled (a `predictors.Moving`), with what stays the same meanwhile."""

    def __init__(
        self,
        score: ScoreModel,
        crystals: Crystals,
        schedule: Schedule,
        anchor: Anchor,
        symmetry: Symmetry,
        generators: Sequence[torch.Generator],
    ) -> None:
        self.model = score
        self.host = crystals
        self.now = crystals
        self.anchor = anchor
        self.symmetry = symmetry
        self.memory: History | None = None
        self.generators = generators
        self.levels = schedule.sigmas(crystals.lattice)[:, crystals.crystal_index]
        self.tau = torch.zeros(crystals.n_crystals, dtype=torch.float32, device=crystals.lattice.device)

    def start(self) -> None:
        """Put guests uniform in the cell or on their orbits, and the host at the top level."""
        guest = self.host.guest[:, None]
        start = self.symmetry.start(uniform(self.host, self.generators))
        frac = torch.where(guest, start, self.host.frac_coords)
        self._hold(replace(self.host, frac_coords=frac), self.levels[0])

    def perturb(self) -> None:
        """Put guests where they are known to be, plus noise of the top level."""
        known = self.symmetry.start(self.host.frac_coords)
        self.now = replace(self.host, frac_coords=torch.where(self.host.guest[:, None], known, self.host.frac_coords))
        self.move(self.levels[0][:, None] * self.noise(), self.levels[0])

    def predict(self, level: int, target: int, predictor: Predictor) -> None:
        """Take one predictor step from one level number to another."""
        self.memory = predictor(self, self.levels[level], self.levels[target], self.memory)

    def correct(self, level: int, corrector: Langevin) -> None:
        """Take the corrector steps at a level number."""
        sigma = self.levels[level]
        if not bool((sigma > 0).any()):
            return  # no noise is left to correct in the clean crystal
        freedom = self.symmetry.freedom(self.now)
        for _ in range(corrector.n_steps):
            self.memory = None
            score = self.score(sigma)
            size = corrector.step_size(
                score, self.now.guest, sigma, self.now.crystal_index, self.now.n_crystals, freedom
            )
            self.move(size[:, None] * score + torch.sqrt(2 * size)[:, None] * self.noise(), sigma)

    def jump(self, level: int, target: int) -> None:
        """Add noise to return to a noisier level: variances add, so its deviation is √(σ_high² − σ_low²)."""
        low, high = self.levels[level], self.levels[target]
        spread = torch.sqrt(high**2 - low**2)
        self.memory = None
        self.move(spread[:, None] * self.noise(), high)

    def score(self, sigma: Float[Tensor, "atoms"]) -> Float[Tensor, "atoms 3"]:
        """The score (atoms, 3), 1/Å, at the levels that the anchor tells the network."""
        seen = self.anchor.levels(self.now, sigma)
        noise = Noise(sigma=seen.float(), tau=self.tau)
        return self.model(self.now.to(self.now.lattice.device, torch.float32), noise).atoms.to(sigma.dtype)

    def noise(self) -> Float[Tensor, "atoms 3"]:
        """Standard normal noise (atoms, 3), projected on what the symmetry allows."""
        return self.symmetry.project(self._normal())

    def move(self, step: Float[Tensor, "atoms 3"], sigma: Float[Tensor, "atoms"]) -> None:
        """Move the guests by the part of the step (Å) that keeps the symmetry, which the network's rounding breaks."""
        allowed = self.symmetry.project(step) * self.now.guest[:, None]
        self._hold(self.symmetry.rebuild(self.now.moved(allowed)), sigma)

    def _hold(self, crystals: Crystals, sigma: Float[Tensor, "atoms"]) -> None:
        self.now = self.anchor.hold(crystals, self.host, sigma, self.noise)

    def _normal(self) -> Float[Tensor, "atoms 3"]:
        return normal(self.host, self.generators)
