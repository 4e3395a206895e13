"""What the lowest crystals of a run are changed to: the same content, in a group of their own, drawn by the seed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from chggen.generation import CellRequest, Parent, Start, VolumePrior, cell_sources
from chggen.generation.evolved_starts import _changes, evolved
from chggen.symmetry import space_group, taken_positions

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
TITANATE = Structure.from_spacegroup(
    "Pm-3m", Lattice.cubic(3.9), ["Ca", "Ti", "O"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]
)
CRYSTALS = {"salt": SALT, "titanate": TITANATE}


def filled(start: Start, seed: int = 0) -> Structure:
    """The cell that a try begins with, its guests at their sites."""
    host, orbits = start.draw(seed)
    symbols = [site.specie.symbol for site in host.framework]
    symbols += [symbol for symbol, n in host.guests.items() for _ in range(n)]
    if orbits is not None:
        return Structure(host.framework.lattice, symbols, orbits.frac)
    sites = host.sites if host.sites is not None else np.zeros((sum(host.guests.values()), 3))
    return Structure(
        host.framework.lattice, symbols, np.concatenate([host.framework.frac_coords.reshape(-1, 3), sites])
    )


@pytest.mark.parametrize("name", CRYSTALS)
@pytest.mark.parametrize("change", range(6))
def test_every_change_keeps_the_content(name: str, change: int) -> None:
    crystal = CRYSTALS[name]
    made = 0
    for seed in range(6):
        start = _changes(crystal.volume)[change](crystal, np.random.default_rng(seed))
        if start is not None:
            made += 1
            assert filled(start).composition == crystal.composition
            assert dict(start.species) == {str(s): int(n) for s, n in crystal.composition.items()}
    assert made == 6 or (change == 3 and name == "titanate")  # its orbits are of 1, 1 and 3 atoms: Ca and Ti exchange


RUTILE = Structure.from_spacegroup("P4_2/mnm", Lattice.tetragonal(4.594, 2.959), ["Ti", "O"], [[0] * 3, [0.3, 0.3, 0]])
ANATASE = Structure.from_spacegroup(
    "I4_1/amd", Lattice.tetragonal(3.78, 9.51), ["Ti", "O"], [[0, 0.75, 0.125], [0, 0.75, 0.333]]
)
MARCASITE = Structure.from_spacegroup(
    "Pnnm", Lattice.orthorhombic(4.44, 5.43, 3.39), ["Fe", "S"], [[0, 0, 0], [0.2, 0.378, 0]]
)
BROOKITE = Structure.from_spacegroup(
    "Pbca", Lattice.orthorhombic(9.17, 5.45, 5.14), ["Ti", "O", "O"],
    [[0.128, 0.1, 0.863], [0.009, 0.149, 0.182], [0.23, 0.11, 0.53]],
)  # fmt: skip


def test_atoms_are_placed_anew_on_the_positions_of_the_parent() -> None:
    start = _changes(BROOKITE.volume)[6](BROOKITE, np.random.default_rng(0))
    assert start is not None
    assert (start.source, start.symmetric, start.on_orbits) == ("evolve", True, True)
    made = [filled(start, seed) for seed in range(4)]
    for one in made:
        assert one.composition == BROOKITE.composition
        found = taken_positions(one, 0.01)
        assert found is not None
        assert (found.number, dict(found.letters)) == (61, {"Ti": "c", "O": "cc"})
    assert len({round(one.lattice.a, 4) for one in made}) > 1
    for settled in (RUTILE, MARCASITE):  # one and two free coordinates: any race finds their places
        assert _changes(1.0)[6](settled, np.random.default_rng(0)) is None
    assert _changes(1.0)[6](ANATASE, np.random.default_rng(0)) is None  # not primitive


def test_orbits_take_the_atoms_onto_each_other() -> None:
    """Every atom is its representative's image; in all groups that are drawn."""
    groups = set()
    for seed in range(12):
        start = _changes(SALT.volume)[0](SALT, np.random.default_rng(seed))
        assert start is not None
        _, orbits = start.draw(seed)
        if orbits is None:
            groups.add(0)
            continue
        image = np.einsum("aij,aj->ai", orbits.rotations, orbits.frac[orbits.representative]) + orbits.translations
        off = image - orbits.frac
        assert np.abs(off - np.round(off)).max() < 1e-6
        groups.add(len(set(orbits.representative.tolist())))
    assert len(groups) >= 3  # free, the whole group and subgroups


def test_strained_cell_keeps_the_group_and_has_the_volume_asked_for() -> None:
    for seed in range(6):
        start = _changes(100.0)[2](TITANATE, np.random.default_rng(seed))
        assert start is not None
        cell = filled(start)
        assert cell.volume == pytest.approx(100.0)
        assert space_group(cell, 0.01) == 221


def test_exchange_swaps_an_orbit() -> None:
    start = _changes(SALT.volume)[3](SALT, np.random.default_rng(0))
    assert start is not None
    cell = filled(start)
    chlorine = {tuple(np.round(site.frac_coords % 1, 3)) for site in SALT if site.specie.symbol == "Cl"}
    sodium = {tuple(np.round(site.frac_coords % 1, 3)) for site in cell if site.specie.symbol == "Na"}
    assert sodium == chlorine


def test_one_species_is_not_taken_out() -> None:
    copper = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.6), ["Cu"], [[0, 0, 0]])
    assert _changes(copper.volume)[4](copper, np.random.default_rng(0)) is None
    assert _changes(copper.volume)[3](copper, np.random.default_rng(0)) is None


def test_lowest_are_taken_most() -> None:
    parents = [Parent(SALT, -3.0), Parent(TITANATE, -2.6)]
    rng = np.random.default_rng(0)
    of = Counter(len(starts.species) for _ in range(40) if (starts := evolved(parents, SALT.volume, rng)) is not None)
    assert of[2] > 10 * of[3]  # 0.4 eV/atom higher: e^-8 as likely


def test_source_begins_with_space_groups_and_goes_on_from_what_was_found() -> None:
    source = cell_sources()["evolve"]
    species = {"Na": 4, "Cl": 4}
    prior = VolumePrior(SALT.volume / 8, 0.0)

    def start(parents: tuple[Parent, ...], seed: int) -> Start:
        rng = np.random.default_rng(seed)
        request = CellRequest(species=species, volume=prior, rng=rng, rank=0, parents=lambda most: parents[:most])
        return source.start(request)

    assert start((), 0).source == "space-group"
    found = (Parent(SALT, -3.0),)
    assert all(start(found, seed).source != "space-group" for seed in range(10))
    one, again = (filled(start(found, 5), 7) for _ in range(2))
    assert np.array_equal(one.frac_coords, again.frac_coords)
    assert np.array_equal(one.lattice.matrix, again.lattice.matrix)
