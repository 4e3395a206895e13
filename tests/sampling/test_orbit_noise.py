"""Orbits under the sampler: the law that is sampled, and the group that every sample keeps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from chggen.crystals.batch import Crystals, collate
from chggen.crystals.neighbors import edges_within
from chggen.diffusion.schedule import Schedule
from chggen.diffusion.score_model import Noise, Score
from chggen.generation.host import Host, empty_host
from chggen.generation.symmetric_cells import symmetric_cell
from chggen.sampling.anchor import Clamp, Renoise
from chggen.sampling.corrector import NO_CORRECTOR, Langevin
from chggen.sampling.orbit_noise import OrbitSymmetry
from chggen.sampling.predictors import Ancestral, Heun, Refresh
from chggen.sampling.random_numbers import generators_from
from chggen.sampling.sampler import sample
from chggen.symmetry.free_volume import FreeVolume
from chggen.symmetry.orbits import Orbits
from chggen.symmetry.site_assignment import OrbitPlan, plan_orbits
from chggen.symmetry.wyckoff import setting

_DEVIATION = 0.3  # Å, of each site's law


@dataclass
class _GaussianSites:
    """The exact score of sites that are each Gaussian around a centre: that of the orbit is their product."""

    centres: Tensor

    def __call__(self, crystals: Crystals, noise: Noise) -> Score:
        off = crystals.frac_coords - self.centres
        off = crystals.to_cartesian((off - off.round()).to(crystals.frac_coords))
        return Score(atoms=-off / (_DEVIATION**2 + noise.sigma[:, None] ** 2))


class _CopiedNoise(OrbitSymmetry):
    """The wrong way: the representative's noise carried round its orbit."""

    def project(self, displacement: Tensor) -> Tensor:
        back = torch.einsum("aji,aj->ai", self.turn, displacement)
        return torch.einsum("aij,aj->ai", self.turn, back[self.representative])


@pytest.mark.parametrize(("number", "sites"), [(2, 2), (47, 8), (207, 24)])
@pytest.mark.parametrize("corrector", [NO_CORRECTOR, Langevin(n_steps=2, snr=0.3)], ids=["ancestral", "corrected"])
def test_an_exact_score_recovers_the_restricted_law(number: int, sites: int, corrector: Langevin) -> None:
    right = _spread(number, sites, corrector, OrbitSymmetry)
    exact = _DEVIATION / np.sqrt(sites)  # the product of the laws of all sites, along the orbit
    # The Langevin steps, at most σ² long, leave a few per cent of heat, with and without symmetry.
    assert right == pytest.approx(exact, rel=0.05 if corrector is NO_CORRECTOR else 0.1)
    if corrector is NO_CORRECTOR:
        wrong = _spread(number, sites, corrector, _CopiedNoise)
        assert wrong == pytest.approx(_DEVIATION, rel=0.1)  # √sites too hot


def _spread(number: int, sites: int, corrector: Langevin, kind: type[OrbitSymmetry]) -> float:
    """Standard deviation, Å, of the representative around its centre, over many crystals."""
    many = 300
    centre = np.array([0.21, 0.13, 0.34])
    orbits = _general_orbit(number, centre)
    assert len(orbits.frac) == sites
    one = empty_host((16.0 * np.eye(3)).tolist(), {"Li": sites}).crystals()
    crystals = collate([one] * many)
    made = sample(
        _GaussianSites(torch.tensor(orbits.frac).repeat(many, 1)),
        crystals,
        Schedule(n_levels=200, smallest=0.01, largest=2.0),
        predictor=Ancestral(),
        corrector=corrector,
        symmetry=kind.of([orbits] * many, crystals),
        generators=generators_from(range(many)),
    )
    off = made.frac_coords.view(many, sites, 3)[:, 0] - torch.tensor(orbits.frac[0])
    return float(((off - off.round()) * 16).std())


def _general_orbit(number: int, point: np.ndarray) -> Orbits:
    group = setting(number).group
    sites = np.array([group.apply(k, point) for k in range(len(group))])
    n = len(sites)
    return Orbits(
        frac=sites,
        representative=np.zeros(n, dtype=int),
        rotations=group.rotations.astype(float),
        translations=group.translations,
        free=np.broadcast_to(np.eye(3), (n, 3, 3)),
    )


class _Repulsion:
    """An equivariant score that is asked in float32: atoms push each other away."""

    def __call__(self, crystals: Crystals, noise: Noise) -> Score:
        edges = edges_within(crystals, 3.0)
        d = edges.vectors(crystals)
        push = -d * torch.exp(-(d**2).sum(-1, keepdim=True) / 2)
        return Score(atoms=torch.zeros_like(crystals.frac_coords).index_add(0, edges.receiver, push))


def test_a_sample_contains_the_group_it_was_made_in(any_space_group: int) -> None:
    number = any_space_group
    plan, host = _random_assignment(number)
    crystals = host.crystals()
    predictor = (Refresh(), Ancestral(), Heun(churn=0.2))[number % 3]
    made = sample(
        _Repulsion(),
        crystals,
        Schedule(n_levels=8, smallest=0.02, largest=2.0),
        predictor=predictor,
        corrector=Langevin(n_steps=number % 2),
        symmetry=OrbitSymmetry.of([plan.draw(number)], crystals),
        generators=generators_from([number]),
    )
    assert _worst_mismatch(made, plan) < 1e-9
    assert made.frac_coords.min() >= 0


def _random_assignment(number: int) -> tuple[OrbitPlan, Host]:
    """Two species on positions of the group drawn at random, in a random cell of its lattice."""
    rng = np.random.default_rng(number)
    positions = setting(number).positions
    chosen = [positions[int(k)] for k in rng.integers(len(positions), size=3)]
    if chosen[0] is chosen[1] and chosen[0].freedom == 0:
        chosen[1] = positions[0]
    pairs = {"Li": sum(p.multiplicity for p in chosen[:2]), "S": positions[0].multiplicity}
    host = symmetric_cell(pairs, 15.0 * sum(pairs.values()), rng, number)
    assert host.orbits is not None
    letters = ["".join(p.letter for p in chosen[:2]), positions[0].letter]
    plan = host.orbits.with_letters(letters)
    assert plan is not None
    return plan, host


def _worst_mismatch(crystals: Crystals, plan: OrbitPlan) -> float:
    """Largest distance, Å, between the image of an atom and the nearest atom of its species."""
    frac, numbers = crystals.frac_coords.numpy(), crystals.atomic_numbers.numpy()
    group = plan.choices[0].group
    worst = 0.0
    for k in plan.choices[0].members.tolist():
        distances = plan.around.distances(group.apply(k, frac), frac)
        distances[numbers[:, None] != numbers] = np.inf
        worst = max(worst, float(distances.min(axis=1).max()))
    return worst


def test_a_renoised_host_keeps_the_group_too() -> None:
    host = symmetric_cell({"S": 4}, 80.0, np.random.default_rng(1), 62)
    assert host.orbits is not None
    frac = host.orbits.draw(0).frac
    around = FreeVolume(host.framework.lattice.matrix, frac, np.full(4, 16), {3: 4})
    choice = host.orbits.choices[0]
    plan = plan_orbits(around, choice.group, choice.positions)
    assert plan is not None
    from pymatgen.core import Structure

    filled = Host(framework=Structure(host.framework.lattice, ["S"] * 4, frac), guests={"Li": 4})
    crystals = filled.crystals()
    seen: list[float] = []

    def watching(now: Crystals, noise: Noise) -> Score:
        seen.append(_worst_mismatch(now.to("cpu", torch.float64), plan))
        return _Repulsion()(now, noise)

    made = sample(
        watching,
        crystals,
        Schedule(n_levels=8, smallest=0.02, largest=2.0),
        anchor=Renoise(),
        symmetry=OrbitSymmetry.of([plan.draw(0)], crystals),
        generators=generators_from([0]),
    )
    assert max(seen) < 1e-5  # the network is asked in float32
    assert _worst_mismatch(made, plan) < 1e-9
    assert torch.equal(made.frac_coords[:4], crystals.frac_coords[:4])


def test_crystals_without_orbits_move_freely_beside_symmetric_ones() -> None:
    plan, host = _random_assignment(62)
    alone = sample(_Repulsion(), host.crystals(), Schedule(n_levels=4), anchor=Clamp(), generators=generators_from([5]))
    crystals = collate([host.crystals(), host.crystals()])
    both = sample(
        _Repulsion(),
        crystals,
        Schedule(n_levels=4),
        symmetry=OrbitSymmetry.of([plan.draw(3), None], crystals),
        generators=generators_from([3, 5]),
    ).split()
    assert _worst_mismatch(both[0], plan) < 1e-9
    torch.testing.assert_close(both[1].frac_coords, alone.frac_coords)


def test_projected_noise_has_the_freedom_that_is_said() -> None:
    plan, host = _random_assignment(166)
    crystals = collate([host.crystals()] * 200)
    symmetry = OrbitSymmetry.of([plan.draw(0)] * 200, crystals)
    noise = torch.randn(len(crystals.frac_coords), 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    projected = symmetry.project(noise)
    torch.testing.assert_close(symmetry.project(projected), projected)
    measured = float((projected**2).sum(-1).mean())
    assert measured == pytest.approx(float(symmetry.freedom(crystals).mean()), rel=0.1)
