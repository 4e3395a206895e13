"""Duplicates are those that StructureMatcher finds pair by pair, and are found without asking it of every pair."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

from chggen.campaign.comparison import StructureComparison
from chggen.campaign.duplicates import duplicate_groups, with_duplicates
from chggen.results import Candidate

_BASES = (
    np.eye(3, dtype=int),
    [[1, 1, 0], [0, 1, 0], [0, 0, 1]],
    [[1, 0, 0], [0, 1, 0], [1, 0, -1]],
    [[2, 0, 0], [0, 1, 0], [0, 0, 1]],
)
_SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
_RUTILE = Structure.from_spacegroup("P4_2/mnm", Lattice.tetragonal(4.6, 2.96), ["Ti", "O"], [[0, 0, 0], [0.3, 0.3, 0]])
_KNOWN = (_SALT.get_primitive_structure(), _RUTILE)


def _random(rng: np.random.Generator, kinds: Sequence[str]) -> Structure:
    cell = Lattice.from_parameters(*rng.uniform(0.7, 1.4, 3), *rng.uniform(65, 115, 3)).scale(14 * len(kinds))
    return Structure(cell, kinds, rng.random((len(kinds), 3)))


def _hosted(rng: np.random.Generator) -> Structure:
    """One framework with its guests anywhere: cells that always match."""
    framework = _random(np.random.default_rng(5), ["P", "P", "S", "S", "S", "S"])
    for _ in range(2):
        framework.append("Zn", rng.random(3))
    return framework


def _changed(rng: np.random.Generator, structure: Structure, rattle: float, strain: float) -> Structure:
    """The structure in another cell, its sites and its cell moved at random, and of another volume."""
    found = structure.copy()
    found.make_supercell(_BASES[rng.integers(len(_BASES))])
    frac = found.frac_coords + rng.normal(0, rattle, (len(found), 3)) @ found.lattice.inv_matrix
    matrix = found.lattice.matrix @ (np.eye(3) + rng.normal(0, strain, (3, 3))) * rng.uniform(0.9, 1.1)
    return Structure(matrix, found.species, frac)


def _any(rng: np.random.Generator) -> Structure:
    draws = (
        lambda: _KNOWN[rng.integers(len(_KNOWN))],
        lambda: _random(rng, ["Ti"] * 2 + ["O"] * 4),
        lambda: _random(rng, ["Li"] * 3),
        lambda: _hosted(rng),
    )
    return draws[rng.integers(len(draws))]()


def _plainly(structures: Sequence[Structure], energies: Sequence[float]) -> list[int]:
    """What duplicate_groups is to return, pair by pair."""
    matcher = StructureMatcher()
    first: list[int] = []
    volumes = [structure.volume / len(structure) for structure in structures]
    for i, structure in enumerate(structures):
        near = (
            j
            for j in sorted(set(first))
            if abs(energies[i] - energies[j]) < 0.02
            and max(volumes[i], volumes[j]) <= 1.05 * min(volumes[i], volumes[j])
        )
        first.append(next((j for j in near if matcher.fit(structure, structures[j])), i))
    return first


def test_pairs_up_to_the_tolerances_and_beyond_are_told_as_by_structure_matcher() -> None:
    rng = np.random.default_rng(0)
    matcher = StructureMatcher()
    answers = []
    for _ in range(150):
        origin = _any(rng)
        scale = rng.choice([0.1, 0.5, 1.0])
        one = _changed(rng, origin, 0.01, 0.0)
        other = _changed(rng, origin, scale * rng.uniform(0, 0.9), scale * rng.uniform(0, 0.12))
        if rng.random() < 0.3:
            other.translate_sites([0], rng.normal(0, 0.5, 3), frac_coords=False)
        answers.append(matcher.fit(one, other))
        assert StructureComparison().same(one, other) == answers[-1]
    assert 30 < sum(answers) < 120  # else the pairs test nothing


@pytest.mark.parametrize("seed", range(4))
def test_groups_are_those_of_the_plain_algorithm(seed: int) -> None:
    rng = np.random.default_rng(seed)
    origins = [_any(rng) for _ in range(8)]
    structures, energies = [], []
    for _ in range(40):
        k = rng.integers(len(origins))
        structures.append(_changed(rng, origins[k], rng.choice([0.02, 0.1, 0.4]), rng.choice([0.0, 0.01, 0.06])))
        energies.append(float(rng.choice([0.0, 0.01, 0.02, 0.03, 0.05, math.nan, rng.uniform(0, 0.1)])))
    found = duplicate_groups(structures, energies)
    assert found == _plainly(structures, energies)
    assert len(set(found)) < len(found)


def test_a_structure_that_cannot_be_compared_is_like_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = StructureComparison.reduced

    def reduced(self: StructureComparison, structure: Structure) -> Any:
        if structure is odd:
            raise ValueError("no reduced cell")
        return whole(self, structure)

    odd = _SALT.copy()
    monkeypatch.setattr(StructureComparison, "reduced", reduced)
    assert duplicate_groups([_SALT, odd, _SALT.copy()], [0.0, 0.0, 0.0]) == [0, 1, 0]


def test_structures_of_different_oxidation_states_are_different() -> None:
    charged = _SALT.copy()
    charged.add_oxidation_state_by_element({"Na": 1, "Cl": -1})
    assert duplicate_groups([_SALT, charged, charged.copy()], [0.0] * 3) == [0, 1, 1]


def test_structure_matcher_is_asked_of_few_pairs_and_never_again(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    structures = [_hosted(rng) for _ in range(12)] + [_random(rng, ["Ti", "O", "O"]) for _ in range(12)]
    asked = []
    whole = StructureMatcher.fit
    monkeypatch.setattr(StructureMatcher, "fit", lambda *a, **k: asked.append(1) or whole(*a, **k))
    comparison = StructureComparison()
    once = duplicate_groups(structures, [0.0] * 24, comparison)
    assert len(asked) < 20  # of 132 pairs of one composition
    asked.clear()
    assert duplicate_groups(structures, [0.0] * 24, comparison) == once
    assert not asked


def _candidate(name: str, structure: Structure, energy: float, source: str) -> Candidate:
    return Candidate(
        id=name, stage="electrode", formula="Cu", seed=0, structure=structure, raw=structure, seed_source=source,
        level="pbe", energies={"pbe": energy},
    )  # fmt: skip


def test_a_crystal_that_only_a_push_led_to_is_found_once_and_one_that_it_came_back_to_no_further_time() -> None:
    fcc = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.6), ["Cu"], [[0, 0, 0]])
    bcc = Structure(Lattice.cubic(2.87), ["Cu", "Cu"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    ranked = [
        _candidate("new", bcc, -4.2, "pushed"),
        _candidate("back", fcc, -4.1, "pushed"),
        _candidate("first", fcc, -4.1, "orbits"),
    ]
    kept = {c.id: (c.n_found, c.found_by) for c in with_duplicates(ranked) if c.duplicate_of is None}
    assert set(kept.values()) == {(1, "pushed"), (1, "orbits")}
