"""Orderings that keep symmetry, against what is known by hand."""

from __future__ import annotations

import numpy as np
from pymatgen.core import Lattice, Structure

from chggen.generation.disorder import Disorder
from chggen.generation.disorder_reading import read_disorder
from chggen.generation.ordering_cells import OrderingCell
from chggen.generation.ordering_sites import OrderingSites
from chggen.generation.ordering_symmetry import symmetric_orderings
from chggen.symmetry import space_group


def _sites(structure: Structure, matrix: np.ndarray, counts: tuple[dict[str, int], ...]) -> OrderingSites:
    disorder: Disorder = read_disorder(structure)
    return OrderingSites.of(disorder, OrderingCell(matrix, counts, 0.0, None))


def test_symmetric_orderings_are_found_where_there_are_too_many_ways() -> None:
    """Thirty-two sites of fcc, half of each species: 6e8 ways, of which the simple layered ones keep symmetry."""
    fcc = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.0), [{"Cu": 0.5, "Au": 0.5}], [[0, 0, 0]])
    conventional = np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]])
    sites = _sites(fcc, 2 * conventional, ({"Cu": 16, "Au": 16},))
    found = symmetric_orderings(sites, 40, 0)
    assert len(found) == 40
    structures = [sites.structure(held) for held in found]
    assert {s.composition.formula for s in structures} == {"Cu16 Au16"}
    groups = [space_group(s, 0.01) for s in structures]
    assert 123 in groups  # L1_0
    assert 166 in groups  # L1_1
    assert all(group is not None and group > 2 for group in groups)
    assert (symmetric_orderings(sites, 40, 0) == found).all()


def test_symmetric_orderings_fill_no_two_sites_that_clash() -> None:
    split = Structure(Lattice.cubic(5), [{"Li": 0.5}, {"Li": 0.5}, "Cl"], [[0.42, 0, 0], [0.58, 0, 0], [0.5, 0.5, 0.5]])
    disorder = read_disorder(split)
    cell = OrderingCell(
        np.diag([1, 2, 3]), tuple(_half(len(s.sites) * 6, s.species) for s in disorder.sublattices), 0.0, None
    )
    sites = OrderingSites.of(disorder, cell)
    found = symmetric_orderings(sites, 10, 0)
    assert len(found)
    assert sites.fits(found).all()


def _half(n_sites: int, species: tuple[str, ...]) -> dict[str, int]:
    return {s: n_sites // len(species) for s in species}
