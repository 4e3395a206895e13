"""Shapes of regions: what lies in them by hand, in skewed cells as well, and draws that stay inside."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice

from chggen.errors import InputError
from chggen.regions import BothOf, Box, Cylinder, EitherOf, Near, Region, Slab, Sphere, Without

CUBE = Lattice.cubic(10.0)
SKEW = Lattice.from_parameters(6.0, 7.0, 12.0, 80.0, 70.0, 100.0)
SHAPES = {
    "slab": Slab(SKEW, (0, 0, 1), 2.0, 5.0),
    "plane": Slab(SKEW, (1, 0, 1), 0.5, 2.0),
    "sphere": Sphere(SKEW, (0.1, 0.9, 0.5), 2.5),
    "cylinder": Cylinder(SKEW, (0.1, 0.9, 0.5), 2, 2.0),
    "box": Box(SKEW, (-0.1, 0.2, 0.3), (0.3, 0.9, 0.6)),
    "near": Near(SKEW, np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]), 1.5),
}


def test_a_slab_goes_from_height_to_height_across_the_face_of_the_cell() -> None:
    z = np.array([[1.0, 2.0, h] for h in (1.9, 2.1, 4.9, 5.1, 12.5, -5.5)])
    assert Slab(CUBE, (0, 0, 1), 2.0, 5.0).contains(z).tolist() == [False, True, True, False, True, True]
    assert Slab(CUBE, (0, 0, 1), -2.0, 1.0).contains(z[:2] - np.array([0, 0, 2])).tolist() == [True, True]


def test_heights_are_along_the_normal() -> None:
    slab = SHAPES["slab"]
    normal = np.cross(SKEW.matrix[0], SKEW.matrix[1])
    normal /= np.linalg.norm(normal)
    assert slab.contains(np.array([3.0 * normal, 1.9 * normal, 5.1 * normal])).tolist() == [True, False, False]


def test_spheres_and_cylinders_reach_across_faces() -> None:
    at = np.array([[9.5, 0.5, 5.0], [0.5, 9.5, 0.0], [3.0, 3.0, 5.0]])
    assert Sphere(CUBE, (0.0, 0.0, 0.5), 2.0).contains(at).tolist() == [True, False, False]
    assert Cylinder(CUBE, (0.0, 0.0, 0.7), 2, 2.0).contains(at).tolist() == [True, True, False]


@pytest.mark.parametrize("name", SHAPES)
def test_images_are_the_same_place_and_draws_stay_inside(name: str) -> None:
    region = SHAPES[name]
    assert isinstance(region, Region)
    drawn = region.draw(300, np.random.default_rng(0))
    assert drawn.shape == (300, 3)
    assert region.contains(drawn).all()
    tried = np.random.default_rng(1).random((200, 3)) @ SKEW.matrix
    moved = tried + np.random.default_rng(2).integers(-2, 3, (200, 3)) @ SKEW.matrix
    near_wall = region.contains(tried + 1e-6) != region.contains(tried - 1e-6)
    assert (region.contains(tried) == region.contains(moved))[~near_wall].all()
    assert 0 < region.contains(tried).mean() < 1


def test_the_volume_of_a_sphere_is_drawn() -> None:
    share = Sphere(CUBE, (0.5, 0.5, 0.5), 3.0).contains(np.random.default_rng(0).random((20000, 3)) * 10).mean()
    assert share == pytest.approx(4 / 3 * np.pi * 27 / 1000, rel=0.05)


def test_regions_are_joined() -> None:
    low, ball = Slab(CUBE, (0, 0, 1), 0.0, 5.0), Sphere(CUBE, (0.5, 0.5, 0.5), 2.0)
    at = np.array([[5.0, 5.0, 4.0], [5.0, 5.0, 6.0], [1.0, 1.0, 1.0], [1.0, 1.0, 9.0]])
    assert EitherOf(CUBE, (low, ball)).contains(at).tolist() == [True, True, True, False]
    assert BothOf(CUBE, (low, ball)).contains(at).tolist() == [True, False, False, False]
    assert Without(CUBE, low).contains(at).tolist() == [False, True, False, True]


def test_nothing_can_be_drawn_from_an_empty_region() -> None:
    low = Slab(CUBE, (0, 0, 1), 0.0, 5.0)
    with pytest.raises(InputError, match="nothing of the cell lies in the region"):
        BothOf(CUBE, (low, Without(CUBE, low))).draw(1, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (12.0, 17.0, "outside the cell"),
        (5.0, 5.0, "two planes, the lower one"),
        (-1.0, 9.5, "all of the cell"),
        (-4.0, -1.0, "outside"),
    ],
)
def test_slabs_that_are_none_are_refused(low: float, high: float, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Slab(CUBE, (0, 0, 1), low, high)
