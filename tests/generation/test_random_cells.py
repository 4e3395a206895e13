"""Random cells of the Bravais families."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from chggen.generation.random_cells import FAMILIES, random_bravais_cell


@pytest.mark.parametrize("family", FAMILIES)
def test_a_random_cell_belongs_to_its_family_at_the_volume_asked_for(family: str) -> None:
    rng = np.random.default_rng(1)
    for _ in range(10):
        cell = random_bravais_cell(123.4, rng, family)
        assert abs(np.linalg.det(cell)) == pytest.approx(123.4, rel=1e-9)
        angles = np.array(Lattice(cell).angles)
        assert np.all((angles >= 50) & (angles <= 130))
        found = SpacegroupAnalyzer(Structure(cell, ["Si"], [[0, 0, 0]]), symprec=1e-4).get_lattice_type()
        assert found == family


def test_families_are_drawn_alike_and_ratios_cover_their_range() -> None:
    rng = np.random.default_rng(3)
    ratios = []
    for _ in range(300):
        a, b, c = sorted(Lattice(random_bravais_cell(50.0, rng, "tetragonal")).abc)
        ratios.append(c / b if np.isclose(a, b) else a / b)
    logs = np.log(ratios)
    assert logs.min() < -0.6
    assert logs.max() > 0.6
    assert abs(logs.mean()) < 0.1  # log-uniform in 1/2 to 2: mean 0, standard error 0.023


def test_cells_follow_from_the_generator_alone() -> None:
    first = random_bravais_cell(80.0, np.random.default_rng(5))
    assert np.array_equal(first, random_bravais_cell(80.0, np.random.default_rng(5)))
    assert not np.allclose(first, random_bravais_cell(80.0, np.random.default_rng(6)))


def test_impossible_cells_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="cell volume must be positive"):
        random_bravais_cell(0.0, rng)
    with pytest.raises(ValueError, match="unknown Bravais family 'pentagonal'"):
        random_bravais_cell(10.0, rng, "pentagonal")
