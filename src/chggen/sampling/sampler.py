"""The denoising loop. There is only one, since de novo generation is inpainting with an empty host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from chggen.crystals import Crystals
from chggen.diffusion import AtomOrbits, Noise, Schedule, ScoreModel, UsesOrbits
from chggen.sampling.anchor import Anchor, Clamp
from chggen.sampling.corrector import NO_CORRECTOR, Langevin
from chggen.sampling.orbit_noise import NO_SYMMETRY, OrbitSymmetry, Symmetry
from chggen.sampling.predictors import Ancestral, History, Predictor
from chggen.sampling.random_numbers import normal, uniform
from chggen.sampling.resampling import Walk
from chggen.sampling.settling import Settling
from chggen.sampling.walls import NO_WALLS, Walls

_FREE: Final = 1e-6  # mean square length of the noise on guests that sites of orbits hold in place, rounding aside


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
    walls: Walls = NO_WALLS,
    caps: Float[Tensor, "atoms"] | None = None,
    perturb: bool = False,
    settling: Settling | None = None,
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
        walls: What keeps guests in a region.
        caps: Largest noise level of each atom, Å, shape (atoms,); infinite where there is none. Atoms with a cap are
            sampled around their input positions: guests whose sites are roughly known, host atoms that may give way.
        perturb: Start the guests from their input positions, or those on their orbits, moved by noise of the schedule's
            top level (SDEdit, Meng et al., ICLR 2022). Otherwise they start uniform in the cell or on their orbits.
        settling: When the guests of a crystal count as settled, so that the rest of its levels is skipped. None visits
            all levels. Crystals that are done leave, and the others go on.
        generators: Random numbers, one generator for each crystal.
        on_move: Called after each step with the number of steps done and of all steps.

    Returns:
        The crystals with sampled guests. Host atoms without a cap are those handed in, bit for bit.

    Raises:
        ValueError: With `settling`, for a walk that jumps back to higher levels.

    Example:
        Four samples of the guests of one host, by a network loaded with `chggen.score.load_score_model`:

            crystals = collate([host] * 4)
            generators = generators_from([0, 1, 2, 3])
            made = sample(score, crystals, Schedule(n_levels=50), predictor=Refresh(), generators=generators)
    """
    moving = crystals if caps is None else replace(crystals, guest=crystals.guest | torch.isfinite(caps))
    loop = _Loop(score, moving, schedule, anchor, symmetry, walls, caps, generators)
    if perturb:
        loop.perturb()
    else:
        loop.start()
    steps = walk.steps(schedule.n_levels)
    if settling is not None:
        if any(target < level for level, target in steps):
            raise ValueError("settling expects a walk straight down; got one that jumps back")
        loop.descend(predictor, corrector, settling, on_move)
    else:
        for done, (level, target) in enumerate(steps, 1):
            if target < level:
                loop.jump(level, target)
            else:
                loop.predict(level, target, predictor)
                loop.correct(loop.levels[target], corrector)
            on_move(done, len(steps))
    held = torch.where(moving.guest[:, None], loop.now.frac_coords, crystals.frac_coords)
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
        walls: Walls,
        caps: Tensor | None,
        generators: Sequence[torch.Generator],
    ) -> None:
        self.model = score
        self.host = crystals
        self.now = crystals
        self.anchor = anchor
        self.symmetry = symmetry
        self.walls = walls
        self.inside = walls.start(crystals.frac_coords)
        self.memory: History | None = None
        self.generators = generators
        self.of_crystals = schedule.sigmas(crystals.lattice)
        self.levels = self.of_crystals[:, crystals.crystal_index]
        self.capped = torch.zeros_like(crystals.guest) if caps is None else torch.isfinite(caps)
        if caps is not None:
            self.levels = torch.minimum(self.levels, caps)
        freedom = symmetry.freedom(crystals) * crystals.guest
        self.able = torch.zeros_like(crystals.lattice[:, 0, 0]).index_add(0, crystals.crystal_index, freedom) > _FREE
        self.pending: Tensor | None = None
        self.orbits: AtomOrbits | None = None
        if isinstance(symmetry, OrbitSymmetry) and isinstance(score, UsesOrbits):
            self.orbits = symmetry.orbits(crystals)
        self.go_on(self.able)

    def go_on(self, active: Bool[Tensor, "crystals"]) -> None:
        """Ask the network about these crystals from now on, always in the same float32 cells; the others stay put."""
        self.asked = active[self.host.crystal_index]
        self.seen = _part(self.host, active).to(self.host.lattice.device, torch.float32)
        self.seen_orbits = None if self.orbits is None else _part_of(self.orbits, self.asked)
        self.tau = torch.zeros(self.seen.n_crystals, dtype=torch.float32, device=self.host.lattice.device)

    def start(self) -> None:
        """Put guests uniform in the cell or on their orbits, the host at the top level, atoms with a cap near by."""
        anywhere = (self.host.guest & ~self.capped)[:, None]
        start = self.walls.start(self.symmetry.start(uniform(self.host, self.generators)))
        frac = torch.where(anywhere, start, self.host.frac_coords)
        self._hold(replace(self.host, frac_coords=frac), self.levels[0])
        if bool(self.capped.any()):
            self.move(torch.where(self.capped, self.levels[0], 0.0)[:, None] * self._noise_of_capped(), self.levels[0])

    def _noise_of_capped(self) -> Float[Tensor, "atoms 3"]:
        """Standard normal noise (atoms, 3) for crystals that have atoms with a cap; 0 for others, which draw none."""
        some = torch.zeros_like(self.able).index_add(0, self.host.crystal_index, self.capped)
        noise = torch.zeros_like(self.host.frac_coords)
        own = [g for g, drawn in zip(self.generators, some.tolist(), strict=True) if drawn]
        noise[some[self.host.crystal_index]] = normal(_part(self.host, some), own)
        return self.symmetry.project(noise)

    def perturb(self) -> None:
        """Put guests where they are known to be, plus noise of the top level."""
        known = self.symmetry.start(self.host.frac_coords)
        self.now = replace(self.host, frac_coords=torch.where(self.host.guest[:, None], known, self.host.frac_coords))
        self.move(self.levels[0][:, None] * self.noise(), self.levels[0])

    def predict(self, level: int, target: int, predictor: Predictor) -> None:
        """Take one predictor step from one level number to another."""
        self.memory = predictor(self, self.levels[level], self.levels[target], self.memory)

    def descend(
        self, predictor: Predictor, corrector: Langevin, settling: Settling, on_move: Callable[[int, int], None]
    ) -> None:
        """Take every crystal down its levels, and past those that it has no need of once it is settled."""
        n_levels, index = len(self.levels) - 1, self.host.crystal_index
        low = (self.of_crystals[:-1] > settling.level).sum(0).clamp(max=n_levels - 1)  # where the settled go on
        at = torch.where(self.able, 0, n_levels)
        expected: Tensor | None = None
        calm = torch.zeros_like(at)
        atoms = torch.arange(len(index), device=index.device)
        while bool((active := at < n_levels).any()):
            if int(active.sum()) < self.seen.n_crystals:
                self.go_on(active)
            sigma = torch.where(self.asked, self.levels[at[index].clamp(max=n_levels - 1), atoms], 1.0)
            self.pending = self.score(sigma)
            clean = self.now.moved((sigma**2)[:, None] * self.pending * self.now.guest[:, None])
            calm = torch.where(self._moved(clean, expected) < settling.near, calm + 1, 0)
            expected = clean.frac_coords
            step = torch.where((calm >= settling.times) & (at < low), low, at + 1)
            at = torch.where(active, step, at)
            target = torch.where(self.asked, self.levels[at[index], atoms], 1.0)
            self.memory = predictor(self, sigma, target, self.memory)
            self.correct(target, corrector)
            on_move(int(at.min()), n_levels)

    def _moved(self, clean: Crystals, before: Tensor | None) -> Float[Tensor, "crystals"]:
        """How far the guest of each crystal that moved farthest stands from where it stood before, Å."""
        if before is None:
            return torch.full_like(clean.lattice[:, 0, 0], torch.inf)
        shift = clean.frac_coords - before
        length = torch.linalg.norm(clean.to_cartesian(shift - shift.round()), dim=-1) * clean.guest
        return torch.zeros_like(clean.lattice[:, 0, 0]).scatter_reduce(0, clean.crystal_index, length, "amax")

    def correct(self, sigma: Float[Tensor, "atoms"], corrector: Langevin) -> None:
        """Take the corrector steps at a level."""
        if not corrector.n_steps or not bool((sigma > 0).any()):
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
        if self.pending is not None:
            score, self.pending = self.pending, None
            return score
        score = torch.zeros_like(self.now.frac_coords)
        if len(self.tau):
            told = self.anchor.levels(self.now, sigma)[self.asked].float()
            seen = replace(self.seen, frac_coords=self.now.frac_coords[self.asked].float())
            noise = Noise(sigma=told, tau=self.tau)
            if self.seen_orbits is not None and isinstance(self.model, UsesOrbits):
                found = self.model.of_orbits(seen, noise, self.seen_orbits)
            else:
                found = self.model(seen, noise)
            score[self.asked] = found.atoms.to(sigma.dtype)
        return self._confined(score, sigma)

    def _confined(self, score: Float[Tensor, "atoms 3"], sigma: Float[Tensor, "atoms"]) -> Float[Tensor, "atoms 3"]:
        """The score with which no guest is expected behind a wall."""
        if self.walls is NO_WALLS:
            return score
        clean = self.now.moved((sigma**2)[:, None] * score).frac_coords
        self.inside = self.walls.confined(self.now, clean, self.inside)
        return score + self.now.to_cartesian(self.inside - clean) / (sigma**2)[:, None]

    def noise(self) -> Float[Tensor, "atoms 3"]:
        """Standard normal noise (atoms, 3), projected on what the symmetry allows."""
        return self.symmetry.project(self._normal())

    def move(self, step: Float[Tensor, "atoms 3"], sigma: Float[Tensor, "atoms"]) -> None:
        """Move the guests by the part of the step (Å) that keeps the symmetry, which the network's rounding breaks."""
        going = self.asked[:, None]
        allowed = torch.where(going & self.now.guest[:, None], self.symmetry.project(step), 0.0)
        moved = self.symmetry.rebuild(self.now.moved(allowed))
        # Crystals that are done stay as they are to the last bit, which rebuilding orbits would change.
        self._hold(replace(moved, frac_coords=torch.where(going, moved.frac_coords, self.now.frac_coords)), sigma)

    def _hold(self, crystals: Crystals, sigma: Float[Tensor, "atoms"]) -> None:
        held = self.anchor.hold(crystals, self.host, sigma, self.noise)
        self.now = replace(held, frac_coords=torch.where(self.asked[:, None], held.frac_coords, crystals.frac_coords))

    def _normal(self) -> Float[Tensor, "atoms 3"]:
        return normal(self.host, self.generators)


def _part(crystals: Crystals, which: Bool[Tensor, "crystals"]) -> Crystals:
    """Some crystals of a batch, perhaps none."""
    atoms = which[crystals.crystal_index]
    number = torch.cumsum(which.long(), 0) - 1
    return Crystals(
        frac_coords=crystals.frac_coords[atoms],
        lattice=crystals.lattice[which],
        atomic_numbers=crystals.atomic_numbers[atoms],
        crystal_index=number[crystals.crystal_index[atoms]],
        guest=crystals.guest[atoms],
    )


def _part_of(orbits: AtomOrbits, which: Bool[Tensor, "atoms"]) -> AtomOrbits:
    """The orbits of some crystals of a batch, in the network's precision."""
    number = torch.cumsum(which.long(), 0) - 1
    return AtomOrbits(representative=number[orbits.representative[which]], turn=orbits.turn[which].float())
