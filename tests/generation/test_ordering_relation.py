"""How orderings relate to the average crystal, where index, ways and displacements are known by hand."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from chggen.generation import AverageCrystal, read_disorder

EDGE = 4.1
SITES = [[0, 0, 0], [0.5, 0.5, 0.5]]
MIXED = Structure.from_spacegroup("Fm-3m", Lattice.cubic(EDGE), [{"Li": 0.5, "Co": 0.5}, "O"], SITES)
ALLOY = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.75), [{"Cu": 0.75, "Au": 0.25}], [[0, 0, 0]])
HALF_FILLED = Structure.from_spacegroup("Fm-3m", Lattice.cubic(EDGE), [{"Li": 0.5}, "O"], SITES)


def _layered(axis: tuple[int, int, int]) -> Structure:
    """Rock salt whose cations alternate in planes: along [111] that is R-3m, along [001] P4/mmm."""
    rock_salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(EDGE), ["Li", "O"], SITES) * (2, 2, 2)
    period = 4 if axis == (1, 1, 1) else 2  # in halves of the edge
    for k, site in enumerate(rock_salt):
        plane = round(float(np.dot(site.coords, axis)) / (EDGE / 2)) % period
        if site.specie.symbol == "Li" and plane == period // 2:
            rock_salt.replace(k, "Co")
    return rock_salt


@pytest.mark.parametrize(
    ("axis", "group", "t", "k"),
    [
        ((1, 1, 1), 166, 4, 2),  # 48 point operations become 12, and every second translation is lost
        ((0, 0, 1), 123, 3, 2),  # 48 become 16
    ],
)
def test_cation_layers_in_rock_salt(axis: tuple[int, int, int], group: int, t: int, k: int) -> None:
    """The cell of 8 cubes is far from primitive; index and group do not depend on it, the ways do."""
    ordered = _layered(axis)
    found = AverageCrystal(read_disorder(MIXED)).relation(ordered, ordered)
    assert found is not None
    assert (found.group, found.t, found.k, found.index) == (group, t, k, t * k)
    assert (found.cells, found.atoms) == (32, 4)
    assert found.ways == t * k  # the cubic cell holds all domains
    assert found.shares == ({"Co": 0.5, "Li": 0.5}, {"O": 1.0})
    assert (found.rms, found.moved, found.off) == (pytest.approx(0, abs=1e-9), 0, 0)


def test_layers_in_their_own_cell_lie_there_in_two_ways() -> None:
    ordered = _layered((1, 1, 1)).get_primitive_structure()
    found = AverageCrystal(read_disorder(MIXED)).relation(ordered, ordered)
    assert found is not None
    assert (found.cells, found.ways, found.index) == (2, 2, 8)


def test_l1_2_has_four_ways_and_no_rotation_is_lost() -> None:
    ordered = Structure(
        Lattice.cubic(3.75), ["Au", "Cu", "Cu", "Cu"], [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
    )
    found = AverageCrystal(read_disorder(ALLOY)).relation(ordered, ordered)
    assert found is not None
    assert (found.group, found.t, found.k, found.ways) == (221, 1, 4, 4)


@pytest.mark.parametrize("sign", [1, -1])
def test_strain_and_shift_are_no_displacement(sign: int) -> None:
    """One of 64 atoms moved by 0.4 Å: without the common shift, (1 - 1/64) of it is left, and 1/64 in the others."""
    raw = _layered((1, 1, 1))
    raw = Structure(Lattice(sign * raw.lattice.matrix), raw.species, sign * raw.frac_coords)
    relaxed = raw.copy()
    relaxed.translate_sites([5], [0, 0, 0.4], frac_coords=False)
    relaxed.translate_sites(range(len(relaxed)), [0.11, 0.23, 0.37])
    found = AverageCrystal(read_disorder(MIXED)).relation(raw, relaxed)
    assert found is not None
    assert found.largest == pytest.approx(0.4 * 63 / 64)
    assert found.rms == pytest.approx(0.4 * np.sqrt(63) / 64)
    relaxed.lattice = Lattice(relaxed.lattice.matrix * 1.04)
    strained = AverageCrystal(read_disorder(MIXED)).relation(raw, relaxed)
    assert strained is not None
    assert strained.largest == pytest.approx(1.02 * found.largest)  # in the mean of both cells
    assert strained.index == 8


def test_atoms_that_leave_their_sites_are_counted() -> None:
    """Half of the sites are filled, so that an atom has others to go to; the ordering is then the one it went to."""
    average = AverageCrystal(read_disorder(HALF_FILLED))
    raw = _layered((1, 1, 1))
    raw.remove_species(["Co"])
    empty = {tuple(np.round(s.frac_coords % 1, 4)) for s in _layered((1, 1, 1)) if s.specie.symbol == "Co"}
    first = next(k for k, site in enumerate(raw) if site.specie.symbol == "Li")
    moved = raw.copy()
    moved.replace(first, "Li", np.array(min(empty)))
    found = average.relation(raw, moved)
    assert found is not None
    assert (found.moved, found.off) == (1, 0)
    assert found.index is not None
    assert found.index > 8
    lost = raw.copy()
    lost.replace(first, "Li", raw[first].frac_coords + np.full(3, 0.125))  # between the sites
    found = average.relation(raw, lost)
    assert found is not None
    assert (found.moved, found.off, found.index) == (0, 1, 8)


def test_what_does_not_fit_has_no_relation() -> None:
    average = AverageCrystal(read_disorder(MIXED))
    ordered = _layered((0, 0, 1))
    stretched = ordered.copy()
    stretched.lattice = Lattice(ordered.lattice.matrix * 1.05)
    assert average.relation(stretched, ordered) is None
    foreign = ordered.copy()
    foreign.replace(0, "Na")
    assert average.relation(foreign, foreign) is None
    assert average.relation(ordered, foreign) is None
    everything_shifted = ordered.copy()
    everything_shifted.translate_sites(range(len(ordered)), [1 / 8, 1 / 8, 1 / 8])
    assert average.relation(everything_shifted, everything_shifted) is not None  # the origin is free
