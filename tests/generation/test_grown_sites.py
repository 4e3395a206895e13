"""Grains that grow into the region between them: each goes on by its own pattern, and they meet where it is drawn."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from chggen.generation.continued_sites import continued
from chggen.generation.filling_order import fillings
from chggen.generation.grown_sites import GrownSites, parts_of
from chggen.generation.host import Host
from chggen.regions import atoms_of, regions_of

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.2), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
REGION = "z 9.5 13.6 or z 22.1 26.2"  # the last layer of each grain and the first of the other, at both boundaries


def _two_grains() -> Structure:
    """Two grains of six layers each, the upper one shifted along both axes of the plane by nothing in common."""
    cell = SALT.copy()
    cell.make_supercell([2, 2, 6])
    upper = cell.frac_coords[:, 2] % 1.0 > 0.499
    cell.translate_sites(np.flatnonzero(upper).tolist(), [0.11, 0.17, 0.0])
    return cell


def _host(cell: Structure, region: str) -> tuple[Host, np.ndarray]:
    """The cell without the atoms of a region, and where these were."""
    taken = np.flatnonzero(atoms_of(region, cell))
    framework = cell.copy()
    framework.remove_sites(taken.tolist())
    guests = dict(Counter(cell[int(k)].specie.symbol for k in taken))
    return Host(framework=framework, guests=guests, regions=regions_of(region, cell)), cell.frac_coords[taken]


def test_grains_that_meet_halfway_are_as_they_were() -> None:
    cell = _two_grains()
    host, before = _host(cell, REGION)
    sites = GrownSites.of(host)
    assert sites is not None
    assert set(sites.parts.tolist()) == {0, 1}
    found = sites.drawn(0.0, 0)
    assert found is not None
    assert len(found) == len(before) == sum(host.guests.values())
    assert cell.lattice.get_all_distances(found, before).min(1).max() < 1e-6


def test_they_may_meet_elsewhere() -> None:
    cell = _two_grains()
    host, before = _host(cell, REGION)
    sites = GrownSites.of(host)
    assert sites is not None
    drawn = [sites.drawn(3.0, seed) for seed in range(6)]
    moved = [(cell.lattice.get_all_distances(d, before).min(1) > 0.1).sum() for d in drawn if d is not None]
    assert max(moved) > 0  # one grain has grown where the other was
    assert all(len(d) == len(before) for d in drawn if d is not None)


def test_a_crystal_that_hangs_together_has_no_parts() -> None:
    cell = SALT.copy()
    cell.make_supercell([3, 3, 3])
    host, _ = _host(cell, "sphere 0.5 0.5 0.5 3")
    assert len(parts_of(host.framework)) == 1
    assert GrownSites.of(host) is None
    assert [start.source for start in fillings(host, 3)] == ["pattern", "orbits", "anywhere"]


def test_grains_take_turns_with_orbits_and_guests_anywhere() -> None:
    host, _ = _host(_two_grains(), REGION)
    sources = [start.source for start in fillings(host, 9)]
    assert sources[0] == "pattern"
    assert set(sources[1:4]) == {"orbits", "anywhere"}
    assert 2 <= sources.count("anywhere") <= 3


@pytest.mark.parametrize("multiples", [2, 5])
def test_a_hole_in_a_crystal_of_a_thousand_atoms_has_its_pattern(multiples: int) -> None:
    cell = SALT.copy()
    cell.make_supercell([multiples] * 3)
    host, before = _host(cell, "sphere 0.5 0.5 0.5 3.5")
    found = continued(host)
    assert found is not None
    assert found.found == len(before)
    assert cell.lattice.get_all_distances(np.concatenate(list(found.sites.values())), before).min(1).max() < 0.01
