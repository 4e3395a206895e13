"""Sources of orderings, on crystals whose lowest ordering is known."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from pymatgen.core import Lattice, Structure

from chggen.errors import InputError
from chggen.generation import FoundOrdering, OrderingRequest, cells_to_fill, low_orderings, ordering_sources
from chggen.generation.disorder_reading import read_disorder
from chggen.potential import load_potential
from chggen.symmetry import space_group

TOY = "ase:ase.calculators.emt:EMT"


def _fcc(a: float = 3.85, **held: float) -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [held], [[0, 0, 0]])


def _request(structure: Structure, n: int, max_atoms: int) -> OrderingRequest:
    disorder = read_disorder(structure)
    return OrderingRequest(
        disorder=disorder,
        cells=cells_to_fill(disorder, max_atoms, 0.1),
        potential=load_potential(TOY),
        n=n,
        seed=0,
        max_atoms=max_atoms,
    )


def test_the_cell_given_is_filled_beside_the_smallest() -> None:
    disorder = read_disorder(_fcc(Cu=0.5, Au=0.5))  # four atoms in the cube, two in the smallest cell
    given, smallest = cells_to_fill(disorder, 60, 0.1)
    assert Lattice(given.matrix @ disorder.lattice).abc == pytest.approx((3.85, 3.85, 3.85))
    assert (given.species, smallest.species) == ({"Au": 2, "Cu": 2}, {"Au": 1, "Cu": 1})
    (alone,) = cells_to_fill(read_disorder(_fcc(Cu=0.75, Au=0.25)), 60, 0.1)
    assert alone.atoms == 4
    assert len(cells_to_fill(disorder, 2, 0.1)) == 1  # the cube has too many atoms
    (other,) = cells_to_fill(disorder, 60, 0.5, {"Cu": 2, "Au": 1})
    assert other.species == {"Cu": 2, "Au": 1}  # the cube holds no such ratio


def test_a_given_cell_that_holds_the_occupancies_exactly_names_the_composition() -> None:
    """Three of eight sites: the cell given holds them, the smallest within a tenth would be another composition."""
    given = _fcc(Cu=0.625, Au=0.375).make_supercell((2, 1, 1), in_place=False)
    assert {tuple(sorted(c.species.items())) for c in cells_to_fill(read_disorder(given), 60, 0.2)} == {
        (("Au", 3), ("Cu", 5))
    }


@pytest.mark.parametrize("source", ["enumeration", "symmetric", "swaps", "lattice", "auto"])
def test_every_source_finds_l1_0_in_cells_of_the_alloy(source: str) -> None:
    found = low_orderings(_request(_fcc(Cu=0.5, Au=0.5), 3, 4), source)
    assert 1 <= len(found) <= 3
    assert 123 in {space_group(own.structure, 0.01) for own in found}
    assert sorted(own.energy for own in found if own.mobile is None) == [
        own.energy for own in found if own.mobile is None
    ]


def test_symmetric_orderings_and_swaps_share_what_is_too_much_to_be_listed() -> None:
    """Thirty-two sites, 6e8 ways: both are among what is found, and the lowest is as low as layers."""
    large = _fcc(Cu=0.5, Au=0.5).make_supercell((2, 2, 2), in_place=False)
    disorder = read_disorder(large)
    request = _request(large, 6, 32)
    request = OrderingRequest(
        disorder=disorder, cells=request.cells[:1], potential=request.potential, n=6, seed=0, max_atoms=32
    )
    with pytest.raises(InputError, match="source enumeration has no orderings of this structure"):
        low_orderings(request, "enumeration")
    found = low_orderings(request, "swaps")
    assert {own.source for own in found} == {"symmetric", "swaps"}
    assert len(found[0].structure) == 32
    (layers,) = low_orderings(_request(_fcc(Cu=0.5, Au=0.5), 1, 2), "enumeration")
    assert found[0].energy <= layers.energy + 1e-3


def test_a_shape_without_room_does_not_refuse_the_others() -> None:
    """A channel with half-filled sites 1.15 Å apart: they can be filled in turn in some cells of two, not in all."""
    tunnel = Structure(
        Lattice.tetragonal(4.6, 2.3),
        [{"Cu": 0.5}, {"Cu": 0.5}, "Au"],
        [[0, 0, 0], [0, 0, 0.5], [0.5, 0.5, 0]],
    )
    found = low_orderings(_request(tunnel, 2, 8), "lattice")
    assert found
    for own in found:
        distances = own.structure.distance_matrix
        assert distances[distances > 0].min() > 1.5


def test_ways_of_five_species_are_those_about_the_ideal_counts() -> None:
    """Twenty sites hold the shares exactly, and so does nothing smaller."""
    mixed = _fcc(Fe=0.35, Co=0.25, Ni=0.2, Cr=0.1, Mn=0.1)
    primitive = mixed.get_primitive_structure().make_supercell((1, 1, 20), in_place=False)
    cells = cells_to_fill(read_disorder(primitive), 40, 0.1)
    assert cells[0].species == {"Fe": 7, "Co": 5, "Ni": 4, "Cr": 2, "Mn": 2}


def test_cells_with_few_ways_and_with_many_share_what_is_wanted() -> None:
    """CuAu as a cube of 32 sites: its layers are found once, in their small cell, beside orderings of the cube."""
    found = low_orderings(_request(_fcc(Cu=0.5, Au=0.5).make_supercell((2, 2, 2), in_place=False), 6, 32), "lattice")
    assert {len(own.structure) for own in found} >= {2, 32}
    assert [own.energy for own in found] == sorted(own.energy for own in found)
    assert sum(space_group(own.structure, 0.01) == 123 for own in found) <= 2
    assert low_orderings(_request(_fcc(Cu=0.5, Au=0.5).make_supercell((2, 2, 2), in_place=False), 2, 32), "enumeration")


class _Layers:
    """A source of one ordering."""

    name = "layers"

    def orderings(self, request: OrderingRequest) -> Sequence[FoundOrdering]:
        tetragonal = Structure(Lattice.tetragonal(2.75, 3.7), ["Cu", "Au"], [[0, 0, 0], [0.5, 0.5, 0.5]])
        return [FoundOrdering(tetragonal, 0.0, self.name)]


def test_a_source_of_another_package_takes_part(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("layers", f"{__name__}:_Layers", "chggen.sources")
    monkeypatch.setattr(EntryPoint, "load", lambda self: _Layers)

    def registered(**asked: Any) -> list[EntryPoint]:
        return [point] if asked["group"] == "chggen.sources" else []

    monkeypatch.setattr("chggen.generation.ordering_registry.entry_points", registered)
    ordering_sources.cache_clear()
    try:
        assert list(ordering_sources()) == ["enumeration", "symmetric", "swaps", "guests", "layers"]
        found = low_orderings(_request(_fcc(Cu=0.5, Au=0.5), 3, 4), "auto")
        assert [own.source for own in found].count("layers") == 1
        assert len(found) == 3
    finally:
        ordering_sources.cache_clear()
