"""The layer between two crystals: neighbours, new bonds and thickness, where they are known."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from chggen.campaign.interface_layer import LayerOfInterface, anions_of, neighbours
from chggen.generation import InterfaceCell, InterfaceRequest, interface_cell

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.21), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
SULFIDE = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.2), ["Mg", "S"], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.fixture(scope="module")
def cell() -> InterfaceCell:
    asked = InterfaceRequest(miller_a=(0, 0, 1), miller_b=(0, 0, 1), gap=2.105, thickness=8.0, max_area=40.0)
    return interface_cell(SALT, SALT, asked)


def _on_top(cell: InterfaceCell) -> Structure:
    """The interface so shifted that the crystal goes on through the gap: unlike atoms on top of each other."""
    return next(found for k in (0.0, 0.5) for m in (0.0, 0.5) if _unlike(found := cell.shifted([k, m]), *cell.gap))


def _unlike(structure: Structure, low: float, high: float) -> bool:
    heights = structure.cart_coords[:, 2]
    below, above = (np.flatnonzero(np.abs(heights - at) < 0.01) for at in (low, high))
    apart = structure.lattice.get_all_distances(structure.frac_coords[below], structure.frac_coords[above])
    nearest = above[apart.argmin(1)]
    return apart.min() < high - low + 0.01 and all(
        structure[int(i)].specie != structure[int(j)].specie for i, j in zip(below, nearest, strict=True)
    )


def test_neighbours_are_those_of_the_crystal() -> None:
    for crystal, anion in ((SALT, "O"), (SULFIDE, "S")):
        anions = anions_of([crystal])
        assert anions == {anion}
        found = neighbours(crystal, anions)
        assert [dict(own) for own in found] == [
            {anion: 6} if site.specie.symbol == "Mg" else {"Mg": 6} for site in crystal
        ]
    copper = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.6), ["Cu"], [[0, 0, 0]])
    assert [dict(own) for own in neighbours(copper, anions_of([copper]))] == [{"Cu": 12}] * 4


def test_a_crystal_that_goes_on_has_no_layer(cell: InterfaceCell) -> None:
    whole = _on_top(cell)
    found = LayerOfInterface(cell, (SALT, SALT), 1.0).of(whole, whole)
    assert found is not None
    assert found.thickness == 0.0
    assert found.new_bonds == {}
    assert found.coordination["Mg"] == {"layer": {"O": 6.0}, "first": {"O": 6.0}, "second": {"O": 6.0}}


def test_atoms_that_moved_or_were_put_in_are_the_layer(cell: InterfaceCell) -> None:
    whole = _on_top(cell)
    low, high = cell.gap
    layer = LayerOfInterface(cell, (SALT, SALT), 1.0)
    raised = whole.copy()
    second = np.flatnonzero(cell.of_b).tolist()
    raised.translate_sites(second, [0, 0, 0.3], frac_coords=False)
    found = layer.of(whole, raised)
    assert found is not None
    assert found.thickness == 0.0  # the second crystal as a whole
    filled = whole.copy()
    filled.append("S", [0.25, 0.25, (low + high) / 2 / whole.lattice.c])
    found = layer.of(filled, filled)
    assert found is not None
    assert found.new_bonds
    assert found.new_bonds.keys() <= {"Mg-S", "S-O"}
    assert found.coordination["S"]["first"] is None
    assert 2 <= found.thickness < 5


def test_other_orders_of_atoms_are_not_told(cell: InterfaceCell) -> None:
    whole = cell.structure
    turned = Structure.from_sites(list(reversed(list(whole))))
    assert LayerOfInterface(cell, (SALT, SALT), 1.0).of(whole, turned) is None
