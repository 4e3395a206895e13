"""Space groups in the cell at hand: their positions, their subgroups, and the positions of those."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from chggen.symmetry.detection import standard_setting
from chggen.symmetry.group import Group
from chggen.symmetry.subgroup_positions import in_subgroup
from chggen.symmetry.wyckoff import WyckoffPosition, positions_of, setting


def test_positions_lie_where_their_site_symmetry_says(any_space_group: int) -> None:
    found = setting(any_space_group)
    group = found.group
    assert sorted(group.table[0]) == list(range(len(group)))
    general = found.positions[0]
    assert (general.multiplicity, general.freedom) == (len(group), 3)
    rng = np.random.default_rng(any_space_group)
    for position in found.positions:
        assert position.multiplicity * len(position.stabiliser) == len(group)
        point = position.point + rng.random(position.freedom) @ position.directions.reshape(-1, 3)
        for operation in position.stabiliser:
            off = group.apply(int(operation), point) - point
            assert np.abs(off - np.round(off)).max() < 1e-9
        sites = np.array([group.apply(int(k), point) for k in position.operations])
        apart = np.abs(sites[:, None] - sites - np.round(sites[:, None] - sites)).max(axis=-1)
        assert (apart + np.eye(len(sites))).min() > 1e-6


@pytest.mark.parametrize("number", [1, 2, 12, 62, 141, 166, 194, 216, 227])
def test_free_coordinates_of_a_point_lead_back_to_it(number: int) -> None:
    found = setting(number)
    rng = np.random.default_rng(number)
    for position in found.positions:
        sites = position.sites(found.group, position.points(1, rng))[0]
        site = sites[int(rng.integers(len(sites)))] + rng.integers(-1, 2, 3)
        free = position.parameters(found.group, site, 1e-6)
        assert free.shape[1] == position.freedom
        for s in free:
            back = position.sites(found.group, (position.point + s @ position.directions.reshape(-1, 3))[None])[0]
            off = back - site
            assert np.abs(off - np.round(off)).max(axis=1).min() < 1e-9
        assert len(free)
        if position.freedom < 3:
            assert not len(position.parameters(found.group, site + np.array([0.0137, 0.0271, 0.0193]), 1e-3))


def test_conventional_fluorite_cell_has_the_multiplicities_of_the_tables() -> None:
    _, positions = _conventional(225)
    assert sorted((p.multiplicity, p.freedom) for p in positions)[:5] == [(4, 0), (4, 0), (8, 0), (24, 0), (24, 1)]


def test_point_group_m3m_has_its_33_classes_of_subgroups() -> None:
    found = list(setting(221).group.subgroups())
    assert len(found) == 33 - 2  # P1 and P-1 are left out
    orders = Counter(len(members) for members in found)
    assert orders[48] == 1
    assert orders[24] == 3  # m-3, 432, -43m
    assert [len(members) for members in found] == sorted((len(m) for m in found), reverse=True)


def test_subgroups_are_groups() -> None:
    group, _ = _conventional(225)
    found = list(group.subgroups())
    assert len({members.tobytes() for members in found}) == len(found)
    for members in found:
        inside = np.isin(group.table[np.ix_(members, members)], members)
        assert inside.all()
        assert not group.only(members).trivial


@pytest.mark.parametrize("number", [62, 88, 122, 139, 148, 176, 194, 206, 216, 225, 227])
def test_positions_of_subgroups_are_those_of_their_own_tables(number: int) -> None:
    found = setting(number)
    _check_subgroups(found.group, found.positions)


@pytest.mark.parametrize("number", [12, 72, 139, 225])
def test_positions_of_subgroups_that_lose_centrings(number: int) -> None:
    _check_subgroups(*_conventional(number))


def _check_subgroups(group: Group, positions: tuple[WyckoffPosition, ...]) -> None:
    for members in group.subgroups():
        own = group.only(members)
        table = positions_of(own, *standard_setting(own))
        split = in_subgroup(group, positions, members)
        assert Counter((p.multiplicity, p.freedom) for p in split) == Counter(
            (p.multiplicity, p.freedom) for p in table
        )
        for p in split:
            assert set(p.operations) <= set(members)
            assert len(p.operations) * len(p.stabiliser) == len(members)


def test_klassengleiche_subgroups_follow_the_translationengleiche_ones() -> None:
    group, _ = _conventional(225)
    shifts = [np.isin(group.centrings, members).sum() for members in group.subgroups()]
    first = shifts.index(next(s for s in shifts if s < 4))
    assert set(shifts[:first]) == {4}
    assert all(s < 4 for s in shifts[first:])
    names = {standard_setting(group.only(m))[0] for m in list(group.subgroups())[first : first + 8]}
    assert {221, 224} <= names  # Pm-3m and Pn-3m are maximal klassengleiche subgroups of Fm-3m


def test_operations_that_do_not_close_are_refused() -> None:
    group = setting(62).group
    with pytest.raises(ValueError, match="do not form a group"):
        _ = Group(group.rotations, group.translations + np.linspace(0, 0.1, len(group))[:, None]).table


def test_change_of_basis_keeps_positions_on_their_sites() -> None:
    multiple = np.array([[1, 1, 0], [0, 1, 0], [1, 0, 1]])
    found = setting(166)
    group = found.group.in_basis(multiple)
    for position in (p.in_basis(multiple) for p in found.positions):
        for operation in position.stabiliser:
            off = group.apply(int(operation), position.point) - position.point
            assert np.abs(off - np.round(off)).max() < 1e-9


def _conventional(number: int) -> tuple[Group, tuple[WyckoffPosition, ...]]:
    """A space group in its conventional cell, centrings counted."""
    found = setting(number)
    primitive = found.primitive
    inverse = np.linalg.inv(primitive)
    span = range(-2, 3)
    shifts = {tuple(np.round(np.array([i, j, k]) @ primitive % 1, 6) % 1) for i in span for j in span for k in span}
    rotations = np.round(primitive.T @ found.group.rotations @ inverse.T).astype(int)
    translations = found.group.translations @ primitive
    group = Group.of(
        np.concatenate([rotations] * len(shifts)), np.concatenate([translations + np.array(s) for s in sorted(shifts)])
    )
    return group, positions_of(group, number, np.eye(3), np.zeros(3))


@pytest.mark.parametrize("at", [0.0713, 0.3391, 0.0713 + 3e-5])
def test_a_group_whose_mirror_lies_where_its_setting_is_looked_for_is_told_all_the_same(at: float) -> None:
    rotations = np.array([np.eye(3), np.diag([-1.0, 1.0, 1.0])])
    group = Group.of(rotations, np.array([[0.0, 0.0, 0.0], [2 * at, 0.0, 0.0]]))
    assert standard_setting(group)[0] == 6  # Pm
