"""Molecules by name."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import molecule

from chggen.crystals import atoms_of_guests, is_molecule, molecule_of
from chggen.errors import InputError


def test_elements_are_no_molecules() -> None:
    assert is_molecule("H2O")
    assert is_molecule("CO")
    assert not is_molecule("Co")
    assert not is_molecule("H")  # which the collection has as well
    assert not is_molecule("H2P")


def test_guests_are_counted_by_elements() -> None:
    assert atoms_of_guests({"H2O": 2, "O": 1, "CO": 1}) == {"O": 4, "H": 4, "C": 1}


def test_what_is_neither_is_refused() -> None:
    with pytest.raises(InputError, match="unknown guest 'H2P'; expected an element or a molecule of ASE's g2"):
        molecule_of("H2P")


def test_orientations_are_uniform_and_rigid() -> None:
    turned = molecule_of("CH3OH").turned(4000, np.random.default_rng(0))
    apart = np.linalg.norm(turned[:, :, None] - turned[:, None], axis=-1)
    assert np.allclose(apart, molecule("CH3OH").get_all_distances())
    along = turned[:, 0] - turned[:, 1]
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    assert np.allclose(along.mean(0), 0, atol=0.05)
    assert np.allclose(along.T @ along / len(along), np.eye(3) / 3, atol=0.03)


def test_a_molecule_alone_is_far_from_its_images() -> None:
    alone = molecule_of("C6H6").alone()
    assert np.allclose(alone.distance_matrix, molecule("C6H6").get_all_distances())
    assert min(alone.lattice.abc) - np.ptp(alone.cart_coords, axis=0).max() >= 12
