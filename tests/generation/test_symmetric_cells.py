"""Cells of a chosen or drawn space group, with their species on its positions."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Structure

from chggen.errors import InputError
from chggen.generation.host import Host
from chggen.generation.symmetric_cells import symmetric_cell
from chggen.symmetry.detection import group_of, space_group
from chggen.symmetry.wyckoff import setting


def _filled(host: Host, seed: int) -> Structure:
    """The host with its guests where a draw starts them."""
    assert host.orbits is not None
    drawn = host.orbits.draw(seed)
    species = [site.specie.symbol for site in host.framework]
    species += [s for s, n in host.guests.items() for _ in range(n)]
    return Structure(host.framework.lattice, species, drawn.frac)


def test_a_cell_of_a_space_group_holds_its_species_on_its_positions() -> None:
    for number in (14, 62, 148, 166, 194, 216, 227):
        host = symmetric_cell({"Zn": 4, "S": 12}, 240.0, np.random.default_rng(number), number)
        assert host.framework.volume == pytest.approx(240.0)
        for seed in range(3):
            found = space_group(_filled(host, seed), 1e-4)
            group = group_of(_filled(host, seed), 1e-4)
            assert found is not None
            assert group is not None
            assert len(group) >= len(setting(number).group)


def test_a_formula_that_does_not_fit_a_space_group_is_answered_with_units_that_do() -> None:
    with pytest.raises(InputError, match=r"3 Na, 3 Cl in a primitive cell do not fit space group 225 .* formula units"):
        symmetric_cell({"Na": 3, "Cl": 3}, 100.0, np.random.default_rng(0), 225)


def test_drawn_space_groups_follow_known_crystals() -> None:
    numbers = []
    for seed in range(40):
        host = symmetric_cell({"Na": 1, "Cl": 1}, 45.0, np.random.default_rng(seed))
        found = space_group(_filled(host, seed), 1e-3)
        assert found is not None
        numbers.append(found)
    known = {225, 221, 216, 187, 123, 119, 189, 194}  # what most crystals AB with one formula unit are
    assert sum(n in known for n in numbers) > 20
    assert numbers.count(225) >= 4
    assert min(numbers) > 2


def test_very_many_atoms_of_a_species_are_spread_as_well() -> None:
    host = symmetric_cell({"H": 171, "C": 1}, 2000.0, np.random.default_rng(0), 1)
    assert host.orbits is not None
    with pytest.raises(InputError, match="do not fit space group 7"):
        symmetric_cell({"C": 29, "O": 1}, 300.0, np.random.default_rng(0), 7)
