"""Samples agree where no distance between guests and atoms differs, whatever the order and the symmetry of the host."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from pymatgen.core import Lattice, Structure

from chggen.crystals.batch import Crystals, from_structures
from chggen.sampling.agreement import distances_of

_HOST = Structure(Lattice.cubic(5.0), ["Cl"], [[0, 0, 0]])


def _filled(*guests: tuple[str, list[float]]) -> Crystals:
    structure = _HOST.copy()
    for symbol, frac in guests:
        structure.append(symbol, frac)
    crystals = from_structures([structure])
    return replace(crystals, guest=torch.arange(len(structure)) > 0)


def _agree(one: Crystals, two: Crystals) -> bool:
    (first,), (second,) = distances_of(one), distances_of(two)
    assert first.agree(second) == second.agree(first)
    return first.agree(second)


@pytest.mark.parametrize(
    ("frac", "expected"),
    [
        ([0.5, 0.0, 0.0], True),  # equivalent by the host's symmetry
        ([0.0, -0.5, 1.0], True),
        ([0.01, 0.0, 0.51], True),  # as far as samples of one structure differ
        ([0.5, 0.5, 0.0], False),
        ([0.0, 0.0, 0.46], False),
    ],
)
def test_what_symmetry_or_noise_makes_of_a_site_agrees_and_another_site_does_not(
    frac: list[float], expected: bool
) -> None:
    assert _agree(_filled(("Li", [0, 0, 0.5])), _filled(("Li", frac))) is expected


def test_guests_of_one_kind_may_change_places_and_those_of_two_may_not() -> None:
    edge, face = [0, 0, 0.5], [0.5, 0.5, 0]
    assert _agree(_filled(("Li", edge), ("Li", face)), _filled(("Li", face), ("Li", edge)))
    assert not _agree(_filled(("Li", edge), ("Na", face)), _filled(("Li", face), ("Na", edge)))


def test_the_same_places_in_another_cell_and_lost_guests_do_not_agree() -> None:
    one = _filled(("Li", [0, 0, 0.5]))
    assert not _agree(one, replace(one, lattice=1.001 * one.lattice))
    far = replace(one, lattice=torch.from_numpy(40 * np.eye(3))[None])
    assert not _agree(far, far)  # nothing within reach tells where that guest is
    for many in (1, 5):  # large cells are searched in another way
        structure = _HOST * (many, many, many)
        crystals = from_structures([structure])
        for wrong in (torch.nan, torch.inf):
            lost = replace(crystals, frac_coords=torch.full_like(crystals.frac_coords, wrong))
            assert not _agree(lost, lost)
