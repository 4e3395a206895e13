"""Guests in regions on orbits of the whole group that their host keeps with its regions."""

from __future__ import annotations

import time

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from chggen.generation.host import Host
from chggen.generation.region_orbits import region_orbits
from chggen.generation.repeated_guests import repeated_guests
from chggen.regions import atoms_of, regions_of
from chggen.symmetry import FreeVolume

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.2), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def _slab() -> Structure:
    """Four close-packed layers, two by two, with vacuum above: a group of 24 operations that keep its upper side."""
    from ase.build import fcc111
    from pymatgen.io.ase import AseAtomsAdaptor

    made = AseAtomsAdaptor.get_structure(fcc111("Pd", (2, 2, 4), vacuum=8, periodic=True))
    return Structure(made.lattice, made.species, made.frac_coords)


def _host(cell: Structure, region: str, guests: dict[str, int], emptied: bool = False) -> Host:
    framework = cell.copy()
    if emptied:
        framework.remove_sites(np.flatnonzero(atoms_of(region, cell)).tolist())
    return Host(framework=framework, guests=guests, regions=regions_of(region, cell))


def test_one_atom_above_a_close_packed_face_goes_to_a_site_of_threefold_symmetry() -> None:
    slab = _slab()
    top = slab.cart_coords[:, 2].max()
    start = region_orbits(_host(slab, f"z {top + 0.8} {top + 2.5}", {"O": 1}))
    assert start is not None
    found = set()
    for seed in range(12):
        host, orbits = start.draw(seed)
        assert orbits is not None
        assert host.sites is not None
        (place,) = host.sites % 1.0 @ slab.lattice.matrix
        assert top + 0.8 <= place[2] <= top + 2.5
        flat = slab.cart_coords.copy()
        flat[:, 2] = place[2]  # layers A, B and C: above one atom, or above the hollow of the other two
        away = slab.lattice.get_all_distances(host.sites, flat @ slab.lattice.inv_matrix)[0]
        assert away.min() < 0.05
        found.add(int(away.argmin()) // 4)
    assert len(found) >= 2


def test_guests_stay_in_their_regions_and_keep_the_group() -> None:
    cell = SALT.copy()
    cell.make_supercell([2, 2, 3])
    region = "z 1.0 5.2"  # two layers of it
    host = _host(cell, region, {"Mg": 16, "O": 16}, emptied=True)
    start = region_orbits(host)
    assert start is not None
    assert host.regions is not None
    for seed in range(4):
        filled, orbits = start.draw(seed)
        assert orbits is not None
        assert filled.sites is not None
        assert host.regions[""].contains((filled.sites % 1.0) @ cell.lattice.matrix).all()
        independent = set(orbits.representative[len(host.framework) :].tolist())
        assert len(independent) <= 8
    again, orbits = start.redraw(1).draw(0)
    assert orbits is None  # anywhere: orbits of smaller groups were not drawn in the regions
    assert again.sites is not None
    assert host.regions[""].contains((again.sites % 1.0) @ cell.lattice.matrix).all()


def test_the_group_is_that_of_the_host_with_its_region() -> None:
    cell = SALT.copy()
    cell.make_supercell([3, 3, 3])
    guests = {cell[int(np.flatnonzero(atoms_of("sphere 0.5 0.5 0.5 1.2", cell))[0])].specie.symbol: 1}
    began = time.process_time()
    centred = region_orbits(_host(cell, "sphere 0.5 0.5 0.5 1.2", guests, emptied=True))
    assert time.process_time() - began < 20  # the crystal alone has thousands of operations
    assert centred is not None
    aside = region_orbits(_host(cell, "sphere 0.54 0.47 0.43 1.2", guests, emptied=True))
    assert aside is None


def test_large_faces_are_left_to_translations() -> None:
    slab = _slab()
    slab.make_supercell([3, 3, 1])
    top = slab.cart_coords[:, 2].max()
    host = _host(slab, f"z {top + 0.8} {top + 2.5}", {"O": 36})
    assert region_orbits(host) is None  # 216 operations
    assert repeated_guests(host) is not None


@pytest.mark.parametrize(("low", "contact"), [(0.0, False), (0.5, True)])
def test_orbits_that_leave_where_they_may_be_have_no_contact(low: float, contact: bool) -> None:
    from chggen.symmetry import group_of, positions_of, standard_setting

    group = group_of(SALT)
    assert group is not None
    position = positions_of(group, *standard_setting(group))[-1]
    around = FreeVolume(
        lattice=SALT.lattice.matrix,
        frac=np.zeros((0, 3)),
        numbers=np.zeros(0, dtype=int),
        guests={3: 192},
        inside={} if contact else {3: lambda places: places[:, 2] < low},
    )
    points = around.tries(position, 3, 4, np.random.default_rng(0))
    found = around.contact(group, position, 3, points, around.frac, around.numbers)
    assert bool((found > 0).all()) == contact
    assert bool((found == 0).all()) != contact
