"""Weights of orderings by hand, and what the orderings of a crystal say as a whole."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

import chggen
from chggen.campaign.ordering_weights import boltzmann_weights, half_temperature
from chggen.results import Candidate

K = 8.617333262e-5  # eV/K
EDGE = 4.1
SITES = [[0, 0, 0], [0.5, 0.5, 0.5]]
MIXED = Structure.from_spacegroup("Fm-3m", Lattice.cubic(EDGE), [{"Li": 0.5, "Co": 0.5}, "O"], SITES)
TETRAGONAL = Structure(  # P4/mmm, in the primitive cell of layers along [001]
    Lattice([[EDGE / 2, EDGE / 2, 0], [-EDGE / 2, EDGE / 2, 0], [0, 0, EDGE]]),
    ["Li", "Co", "O", "O"],
    [[0, 0, 0], [0.5, 0.5, 0.5], [0, 0, 0.5], [0.5, 0.5, 0]],
)
LAYERED = Structure(  # R-3m, in the primitive cell of layers along [111]
    Lattice(EDGE / 2 * np.array([[1, -1, 0], [0, 1, -1], [1, 1, 2]])),
    ["Li", "Co", "O", "O"],
    EDGE / 2 * np.array([[0, 0, 0], [1, 1, 0], [1, 0, 0], [2, 1, 0]]),
    coords_are_cartesian=True,
)


def _candidate(name: str, structure: Structure, energy: float, **values: Any) -> Candidate:
    given: dict[str, Any] = {"stage": "order", "formula": "LiCoO2", "seed": 0, "level": "pbe"}
    return Candidate(id=name, raw=structure, structure=structure, energies={"pbe": energy}, **(given | values))


def test_two_levels_have_the_weights_of_boltzmann() -> None:
    """At T = N dE / (k ln 3) the factor of the upper level is 1/3, which its three ways make up for."""
    even = 4 * 0.010 / (K * math.log(3))
    assert boltzmann_weights([-1.010, -1.0], [1, 3], 4, even) == pytest.approx([0.5, 0.5])
    assert half_temperature([-1.010, -1.0], [1, 3], 4) == pytest.approx(even, rel=1e-5)
    factor = 2 * math.exp(-8 * 0.005 / (K * 300))
    weights = boltzmann_weights([0.0, 0.005], [1, 2], 8, 300.0)
    assert weights == pytest.approx([1 / (1 + factor), factor / (1 + factor)])


def test_some_orderings_never_fall_below_half_and_some_are_always() -> None:
    assert half_temperature([0.0, 0.01], [4, 3], 4) is None
    assert half_temperature([0.0, 0.0, 0.5], [1, 2, 1], 4) == 0.0
    assert boltzmann_weights([-5000.0, -4000.0], [1, 1], 100, 1.0).tolist() == [1.0, 0.0]


def test_two_orderings_of_rock_salt() -> None:
    """By hand: R-3m lies there in 8 ways and P4/mmm in 6; both have cells of 4 atoms."""
    found = [_candidate("a", LAYERED, -6.00, space_group_loose=166), _candidate("b", TETRAGONAL, -5.99)]
    found += [
        _candidate("c", TETRAGONAL, -5.99, duplicate_of="b"),
        _candidate("d", TETRAGONAL, -6.2, status="failed"),
        _candidate("e", TETRAGONAL, -6.3, formula="LiCo2O4"),
    ]
    answer = chggen.order_answer(MIXED, found, temperature=600.0)
    assert [c.candidate.id for c in answer.crystals] == ["a", "b", "e"]
    assert [None if c.relation is None else c.relation.index for c in answer.crystals] == [8, 6, 6]
    factor = 6 / 8 * math.exp(-4 * 0.010 / (K * 600))
    assert answer.crystals[0].weight == pytest.approx(1 / (1 + factor))
    assert answer.crystals[2].weight is None
    assert answer.crystals[2].above is None
    assert (answer.parent, answer.atoms, answer.sublattices) == (225, 4, ())
    assert answer.spread == pytest.approx(10)
    assert answer.half_temperature is None
    assert "mostly ordered, as far as these tell. It keeps more than half at any temperature." in answer.verdict
    assert "a: R-3m, index 8, 0.0 meV/atom above the lowest" in repr(answer)
    assert answer.table()[0]["relation"]["cells"] == 2


def test_occupancies_are_said_where_sublattices_share_species() -> None:
    """Two cations on two kinds of sites: orderings differ in how many of each go where."""
    lattice = Lattice.tetragonal(4.0, 6.0)
    sites = [[0, 0, 0], [0, 0, 0.5]]
    mixed = Structure(lattice, [{"Li": 0.75, "Co": 0.25}, {"Li": 0.25, "Co": 0.75}, "O"], [*sites, [0.5, 0.5, 0.25]])
    normal = Structure(lattice, ["Li", "Co", "O"], [*sites, [0.5, 0.5, 0.25]])
    inverse = Structure(lattice, ["Co", "Li", "O"], [*sites, [0.5, 0.5, 0.25]])
    kt = K * 300
    found = [_candidate("n", normal, 0.0, formula="LiCoO"), _candidate("i", inverse, kt / 3, formula="LiCoO")]
    answer = chggen.order_answer(mixed, found)
    weight = 1 / (1 + math.exp(-1))  # three atoms, so N dE = kT
    shares = {own.given["Li"]: own.found["Li"] for own in answer.sublattices}
    assert shares == {0.75: pytest.approx(weight), 0.25: pytest.approx(1 - weight)}
    assert answer.half_temperature is None


def test_few_orderings_and_bad_temperatures() -> None:
    assert chggen.order_answer(MIXED, []).verdict.startswith("No ordering was found")
    alone = chggen.order_answer(MIXED, [_candidate("a", LAYERED, -6.0)])
    assert alone.verdict.startswith("Only one ordering was found")
    assert (alone.spread, alone.crystals[0].weight) == (None, 1.0)
    for bad in (0.0, -3.0, math.nan, math.inf):
        with pytest.raises(chggen.InputError, match="a temperature is a number of K above zero"):
            chggen.order_answer(MIXED, [], temperature=bad)
