"""Symmetric crystals by one atom of each orbit: the score of the whole crystal, alone or in a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from pymatgen.core import Lattice, Structure

from chggen.crystals import Crystals, from_structures
from chggen.diffusion import AtomOrbits, Noise
from chggen.score import build_score_model, load_score_model
from chggen.score.nequip import NequipScore
from chggen.score.tensor_product import Irrep, turns_of
from chggen.symmetry import SymmetryConstraint

_CRYSTALS: list[tuple[Any, ...]] = [
    ("Fm-3m", Lattice.cubic(5.5), ["Na", "Cl"], [[0.25, 0.25, 0.25], [0, 0, 0]]),
    (
        "Pnma",
        Lattice.orthorhombic(10.2, 6.0, 4.7),
        ["Mg", "Si", "O"],
        [[0.28, 0.25, 0.99], [0, 0, 0], [0.16, 0.03, 0.3]],
    ),
    ("P3_121", Lattice.hexagonal(4.9, 5.4), ["Si", "O"], [[0.47, 0, 1 / 3], [0.41, 0.27, 0.28]]),
    ("P-43m", Lattice.cubic(5.0), ["Cu", "S"], [[0.1, 0.1, 0.3], [0.5, 0, 0.5]]),
    ("P1", Lattice.cubic(4.0), ["Li", "O"], [[0.1, 0.2, 0.3], [0.6, 0.5, 0.9]]),
]
_OPTIONS: dict[str, Any] = {"layers": 3, "cutoff": 4.0, "n_basis": 8, "radial_mlp": [8, 4]}


def _batch(given: Sequence[tuple[Any, ...]]) -> tuple[Crystals, Noise, AtomOrbits]:
    """Symmetric crystals, with a noise level for each species, and with their orbits."""
    structures = [Structure.from_spacegroup(*crystal) for crystal in given]
    crystals = from_structures(structures)
    representative, turn = [], []
    start = 0
    for structure in structures:
        symmetry = SymmetryConstraint.of(structure, 0.001)
        assert symmetry is not None
        first = symmetry.images.min(dim=0).values
        through = [int(torch.nonzero(symmetry.images[:, r] == a)[0]) for a, r in enumerate(first.tolist())]
        turn.append(symmetry.rotations[through])
        representative.append(first + start)
        start += len(structure)
    sigma = 0.1 + 0.02 * crystals.atomic_numbers.double()
    sigma[crystals.atomic_numbers == 8] = 0  # held
    noise = Noise(sigma=sigma, tau=torch.zeros(len(structures)).double())
    return crystals, noise, AtomOrbits(representative=torch.cat(representative), turn=torch.cat(turn))


@pytest.mark.parametrize("hidden", ["8x0e+4x0o+6x1o+3x1e+4x2e", "8x0e+6x1o+4x2e+2x2o"])
@pytest.mark.parametrize("which", [*range(len(_CRYSTALS)), slice(None)])
def test_one_atom_of_each_orbit_gives_the_score_of_all(hidden: str, which: int | slice) -> None:
    torch.manual_seed(0)
    model = build_score_model("nequip", {**_OPTIONS, "hidden": hidden})
    assert isinstance(model, NequipScore)
    model.to(torch.float64).eval().arrange()
    crystals, noise, orbits = _batch(_CRYSTALS[which] if isinstance(which, slice) else [_CRYSTALS[which]])
    with torch.no_grad():
        whole = model(crystals, noise).atoms
    found = model.of_orbits(crystals, noise, orbits).atoms
    assert float(whole.abs().max()) > 1e-3 or which == 0  # nothing pulls at atoms of rock salt
    torch.testing.assert_close(found, whole, atol=1e-9, rtol=1e-6)


def test_the_shipped_network_in_a_batch_is_single_to_the_last_bit() -> None:
    model = load_score_model()
    assert isinstance(model, NequipScore)
    assert model._arranged is not None
    assert model._arranged.uses_orbits

    def of(given: Sequence[tuple[Any, ...]]) -> torch.Tensor:
        crystals, noise, orbits = _batch(given)
        noise = Noise(sigma=noise.sigma.float(), tau=noise.tau.float())
        orbits = AtomOrbits(representative=orbits.representative, turn=orbits.turn.float())
        return model.of_orbits(crystals.to("cpu", torch.float32), noise, orbits).atoms

    together = of(_CRYSTALS * 3)
    alone = torch.cat([of([crystal]) for crystal in _CRYSTALS] * 3)
    assert torch.equal(together, alone)


def test_networks_that_know_no_reflections_compute_every_atom() -> None:
    model = build_score_model("nequip", {**_OPTIONS, "hidden": "8x0e+6x1e+4x2e"})
    assert isinstance(model, NequipScore)
    model.to(torch.float64).eval().arrange()
    crystals, noise, orbits = _batch(_CRYSTALS)
    with torch.no_grad():
        assert torch.equal(model.of_orbits(crystals, noise, orbits).atoms, model(crystals, noise).atoms)


def test_turns_of_vectors_are_the_rotations_themselves() -> None:
    _, _, orbits = _batch(_CRYSTALS[:1])
    turns = turns_of(orbits.turn, Irrep(1, 1, -1))
    torch.testing.assert_close(turns, orbits.turn)
    mirror = torch.diag(torch.tensor([1.0, 1, -1]).double())[None]
    assert float(turns_of(mirror, Irrep(1, 0, -1))) == pytest.approx(-1)
    torch.testing.assert_close(turns_of(mirror, Irrep(1, 1, 1)), -mirror)
