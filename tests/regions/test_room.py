"""Places for guests in their regions."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from chggen.errors import InputError
from chggen.regions import drawn_apart, regions_of

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.2), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_a_whole_crystal_has_room_for_itself() -> None:
    empty = Structure(SALT.lattice, [], [])
    places = drawn_apart(empty, {"Mg": 4, "O": 4}, {}, np.random.default_rng(0))
    assert places.shape == (8, 3)
    filled = Structure(SALT.lattice, ["Mg"] * 4 + ["O"] * 4, places)
    assert (filled.distance_matrix + 9 * np.eye(8)).min() > 0.7 * 2 * 0.66 - 1e-6  # O–O


def test_each_species_goes_where_its_region_is() -> None:
    host = Structure(Lattice.cubic(12.0), ["Mg"], [[0, 0, 0]])
    regions = regions_of(["Li: z 2 5", "z 7 10"], host)
    heights = drawn_apart(host, {"Li": 3, "O": 3}, regions, np.random.default_rng(0))[:, 2] * 12
    assert ((heights[:3] >= 2) & (heights[:3] <= 5)).all()
    assert ((heights[3:] >= 7) & (heights[3:] <= 10)).all()


def test_guests_come_with_their_images() -> None:
    host = Structure(Lattice.cubic(12.0), ["Mg"] * 2, [[0, 0, 0], [0.5, 0, 0]])
    shifts = np.array([[0, 0, 0], [0.5, 0, 0]])
    places = drawn_apart(host, {"Li": 4}, regions_of("z 2 5", host), np.random.default_rng(0), shifts)
    assert places.shape == (4, 3)
    assert np.allclose(places[1::2] - places[::2], [0.5, 0, 0])
    assert ((places[:, 2] * 12 >= 2) & (places[:, 2] * 12 <= 5)).all()


def test_a_region_without_room_says_how_much_there_is() -> None:
    regions = regions_of("sphere 0.25 0.25 0.25 0.9", SALT)
    with pytest.raises(InputError, match=r"has room for about \d atoms?, not for 3 Ba"):
        drawn_apart(SALT, {"Ba": 3}, regions, np.random.default_rng(0))
