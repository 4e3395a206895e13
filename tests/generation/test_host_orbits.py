"""Guests on orbits of a given host: which counts fit, and what is said of those that do not."""

from __future__ import annotations

import time

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from chggen.errors import InputError
from chggen.generation.host import Host
from chggen.generation.host_orbits import on_orbits, symmetrised
from chggen.symmetry.detection import space_group, standard_setting


def _fcc(element: str = "S", edge: float = 6.0) -> Structure:
    return Structure.from_spacegroup(225, Lattice.cubic(edge), [element], [[0, 0, 0]])


def _filled(host: Host, seed: int) -> Structure:
    """The host with its guests where a draw starts them."""
    assert host.orbits is not None
    drawn = host.orbits.draw(seed)
    species = [site.specie.symbol for site in host.framework]
    species += [s for s, n in host.guests.items() for _ in range(n)]
    return Structure(host.framework.lattice, species, drawn.frac)


@pytest.mark.parametrize(("count", "expected"), [(1, 221), (2, 224), (3, 221), (4, 225), (8, 225), (24, 225)])
def test_a_face_centred_host_takes_counts_in_its_group_or_without_the_centring(count: int, expected: int) -> None:
    host = on_orbits(Host(framework=_fcc(), guests={"Li": count}))
    assert host.orbits is not None
    assert {standard_setting(c.group.only(c.members))[0] for c in host.orbits.choices} == {expected}
    for seed in range(4):
        filled = _filled(host, seed)
        assert space_group(filled, 1e-5) == expected
        assert filled.composition.get_el_amt_dict()["Li"] == count


def test_counts_that_fit_a_translationengleiche_subgroup_keep_the_centring() -> None:
    host = on_orbits(Host(framework=_fcc(), guests={"Li": 20}))  # 4, 8 and 24 in the group itself do not make 20
    assert host.orbits is not None
    assert all(len(np.intersect1d(c.members, c.group.centrings)) == 4 for c in host.orbits.choices)
    assert space_group(_filled(host, 0), 1e-4) not in (1, 2, None)


def test_several_species_share_the_positions_and_none_is_taken_twice() -> None:
    host = on_orbits(Host(framework=_fcc(edge=7.0), guests={"Li": 8, "Na": 4}))
    assert host.orbits is not None
    for seed in range(8):
        filled = _filled(host, seed)
        apart = filled.distance_matrix + 10 * np.eye(len(filled))
        assert apart.min() > 1.5
        drawn = host.orbits.draw(seed)
        assert drawn.described == "Li 8c; Na 4b"


def test_half_of_the_draws_are_from_smaller_subgroups_where_asked() -> None:
    host = on_orbits(Host(framework=_fcc(), guests={"Li": 8}), order=24)
    assert host.orbits is not None
    assert {len(c.members) for c in host.orbits.choices} == {192, 24}
    groups = [space_group(_filled(host, seed), 1e-5) for seed in range(60)]
    assert 15 < groups.count(225) < 55
    assert set(groups) != {225}
    assert on_orbits(Host(framework=_fcc(), guests={"Li": 8}), order=192).orbits.choices[-1].members.size == 192


def test_draws_depend_on_the_seed_alone() -> None:
    host = on_orbits(Host(framework=_fcc(), guests={"Li": 5}))
    assert host.orbits is not None
    first, again, other = (host.orbits.draw(seed).frac for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_counts_that_fit_nothing_are_answered_with_those_that_do() -> None:
    screw = Structure.from_spacegroup(4, Lattice.monoclinic(5, 4, 6, 100), ["S", "P"], [[0.1, 0, 0.2], [0.4, 0.3, 0.7]])
    with pytest.raises(InputError, match=r"Li=3 in the 4-atom cell .* nearest counts that fit: Li=2 or Li=4"):
        on_orbits(Host(framework=screw, guests={"Li": 3}))
    with pytest.raises(InputError, match=r"Li=1, Na=2 in the .* nearest counts that fit: Li=2, Na=2"):
        on_orbits(Host(framework=screw, guests={"Li": 1, "Na": 2}))
    many = {"Li": 1, "Na": 3, "K": 1, "Rb": 3, "Cs": 1, "H": 3, "Cu": 1}
    began = time.process_time()
    with pytest.raises(InputError, match="no counts near these fit"):
        on_orbits(Host(framework=screw, guests=many))
    assert time.process_time() - began < 20  # all counts near these would take hours


def test_a_host_without_symmetry_is_refused_with_the_remedy() -> None:
    lattice = Lattice.from_parameters(4, 5, 6, 80, 95, 100)
    low = Structure(lattice, ["S", "P", "Zn"], [[0, 0, 0], [0.3, 0.4, 0.6], [0.7, 0.2, 0.1]])
    with pytest.raises(InputError, match=r"the host has P1 .* use symmetry none"):
        symmetrised(low)


def test_guests_keep_out_of_the_host_and_of_each_other() -> None:
    spinel = Structure.from_spacegroup(
        227, Lattice.cubic(8.1), ["Al", "O"], [[0.625, 0.625, 0.625], [0.3874, 0.3874, 0.3874]]
    )
    host = on_orbits(Host(framework=spinel, guests={"Mg": 8}))
    for seed in range(5):
        filled = _filled(host, seed)
        assert space_group(filled, 1e-4) == 227
        assert (filled.distance_matrix + 10 * np.eye(len(filled))).min() > 1.4


def test_enumeration_takes_less_than_a_second_for_a_hundred_atoms() -> None:
    big = Structure.from_spacegroup(225, Lattice.cubic(11.0), ["P"], [[0.0, 0.1, 0.3]])
    assert len(big) == 96
    on_orbits(Host(framework=_fcc(), guests={"Li": 4}))  # tables loaded
    began = time.process_time()
    on_orbits(Host(framework=big, guests={"Li": 8}))
    assert time.process_time() - began < 2.0
