"""Finite groups of space-group operations: what a crystal's symmetry is modulo the translations of its cell."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
from jaxtyping import Float, Int

_SAME: Final = 1e-3  # fractional; translations of different operations lie much farther apart
_NO_GROUP: Final = "the operations do not form a group in this cell"


@dataclass(frozen=True, eq=False)
class Group:
    """Operations x → R x + t on columns of fractional coordinates of the cell at hand, centrings counted one by one.

    The identity comes first. Raises ValueError, once products are asked for, where the operations do not close.
    """

    rotations: Int[np.ndarray, "operations 3 3"]
    translations: Float[np.ndarray, "operations 3"]

    @classmethod
    def of(cls, rotations: np.ndarray, translations: np.ndarray) -> Group:
        """The group of operations in any order. Raises ValueError where the identity is not among them."""
        wrapped = translations - np.round(translations)
        off = np.abs(rotations - np.eye(3)).max(axis=(1, 2)) + np.abs(wrapped).max(axis=1)
        if off.min() > _SAME:
            raise ValueError("the identity is not among the operations")
        order = [int(off.argmin()), *(k for k in range(len(off)) if k != off.argmin())]
        return cls(np.round(rotations[order]).astype(int), translations[order])

    def __len__(self) -> int:
        return len(self.rotations)

    def __reduce__(self) -> tuple[type[Group], tuple[np.ndarray, np.ndarray]]:
        """Without the products, which are large and only planning needs: plans travel to every worker."""
        return Group, (self.rotations, self.translations)

    @cached_property
    def _kinds(self) -> tuple[np.ndarray, np.ndarray]:
        """The different rotations, and for each operation which of them it has."""
        kinds, kind = np.unique(self.rotations.reshape(-1, 9), axis=0, return_inverse=True)
        return kinds.reshape(-1, 3, 3), kind.reshape(-1)

    @cached_property
    def point_table(self) -> Int[np.ndarray, "kinds kinds"]:
        """Products of the different rotations."""
        kinds, _ = self._kinds
        index = {k.tobytes(): i for i, k in enumerate(kinds)}
        return np.array([[index[(a @ b).tobytes()] for b in kinds] for a in kinds])

    @cached_property
    def table(self) -> Int[np.ndarray, "operations operations"]:
        """table[i, j]: index of operation i after operation j.

        An operation is a centring after the first one of its rotation; so products of those, of centrings, and rotated
        centrings are all that coordinates are compared for.
        """
        kinds, kind = self._kinds
        centrings = self.translations[self.centrings]
        if len(self) != len(kinds) * len(centrings):
            raise ValueError(_NO_GROUP)
        first = self.translations[np.unique(kind, return_index=True)[1]]
        centring = _place(self.translations - first[kind], centrings)
        operation = np.empty((len(kinds), len(centrings)), dtype=int)
        operation[kind, centring] = np.arange(len(self))
        turned = _place(centrings @ kinds.swapaxes(1, 2), centrings)
        product = (first @ kinds.swapaxes(1, 2)) + first[:, None]
        carried = _place(product - first[self.point_table], centrings)
        added = _place(centrings[:, None] + centrings, centrings)
        shift = added[added[centring[:, None], turned[kind[:, None], centring]], carried[kind[:, None], kind]]
        table: np.ndarray = operation[self.point_table[kind[:, None], kind], shift]
        return table

    @cached_property
    def centrings(self) -> Int[np.ndarray, "centrings"]:
        """Indices of the pure translations of the cell, the identity among them."""
        return np.flatnonzero((self.rotations == np.eye(3, dtype=int)).all(axis=(1, 2)))

    @cached_property
    def trivial(self) -> bool:
        """Whether the space group is P1 or P-1: no rotation but the identity and the inversion."""
        return _trivial(self.rotations)

    def apply(self, operation: int, points: Float[np.ndarray, "*points 3"]) -> Float[np.ndarray, "*points 3"]:
        """Fractional points after an operation."""
        moved: np.ndarray = points @ self.rotations[operation].T + self.translations[operation]
        return moved

    def only(self, members: Sequence[int] | np.ndarray) -> Group:
        """The group of the operations with these indices."""
        return Group(self.rotations[members], self.translations[members])

    def in_basis(self, multiple: Int[np.ndarray, "3 3"]) -> Group:
        """The same operations for the lattice `multiple @ lattice` (unimodular)."""
        forward = np.linalg.inv(multiple).T
        rotations = np.round(forward @ self.rotations @ multiple.T).astype(int)
        return Group(rotations, self.translations @ forward.T)

    def subgroups(self) -> Iterator[Int[np.ndarray, "members"]]:
        """Indices of the members of the subgroups above P1 and P-1, one of each class that the group makes equivalent.

        First the group itself and its translationengleiche subgroups, then the klassengleiche ones that lose centrings
        of the cell, and the general ones; each kind from the largest on.
        """
        _, kind = self._kinds
        seen: set[bytes] = set()
        classes = sorted(_subgroups(_frozen(self.point_table), conjugate=True), key=len, reverse=True)
        for point in classes:
            if not self._only_inversion(point):
                yield np.flatnonzero(np.isin(kind, list(point)))
        for point, kept in self._with_fewer_centrings(classes):
            for members in self._lifts(point, kept):
                if self._new(members, seen):
                    yield members

    def _only_inversion(self, point: Iterable[int]) -> bool:
        return _trivial(self._kinds[0][list(point)])

    def _with_fewer_centrings(
        self, classes: Sequence[frozenset[int]]
    ) -> list[tuple[frozenset[int], Int[np.ndarray, "kept"]]]:
        """Point groups with the translations they leave as a whole where they are, the largest pairs first."""
        every = self.centrings
        if len(every) == 1:
            return []
        index = {int(c): k for k, c in enumerate(every)}
        table = np.array([[index[int(self.table[a, b])] for b in every] for a in every])
        pairs = []
        for chosen in _subgroups(_frozen(table), conjugate=False):
            kept = every[sorted(chosen)]
            if len(kept) == len(every):
                continue
            for point in classes:
                if not self._only_inversion(point) and self._carried_by(point, kept):
                    pairs.append((point, kept))
        return sorted(pairs, key=lambda pair: -len(pair[0]) * len(pair[1]))

    def _carried_by(self, point: Iterable[int], kept: np.ndarray) -> bool:
        """Whether rotations carry translations of a set into each other."""
        shifts = self.translations[kept]
        turned = (shifts @ r.T for r in self._kinds[0][list(point)])
        return all(bool((_off(t, shifts).min(axis=1) <= _SAME).all()) for t in turned)

    def _lifts(self, point: frozenset[int], kept: np.ndarray) -> Iterator[Int[np.ndarray, "members"]]:
        """Subgroups of this point group with these translations: a choice of one operation for each generator."""
        _, kind = self._kinds
        cosets = self._cosets(kept)
        generators = _generators(_frozen(self.point_table), point)
        first = [int(np.flatnonzero(kind == g)[0]) for g in generators]
        size = len(point) * len(kept)
        for shifts in itertools.product(cosets, repeat=len(first)):
            lifted = [int(self.table[s, f]) for s, f in zip(shifts, first, strict=True)]
            members = self._closure([*kept.tolist(), *lifted], size)
            if members is not None:
                yield members

    def _cosets(self, kept: np.ndarray) -> list[int]:
        """One translation of the cell for each coset of those that are kept."""
        left, found = set(self.centrings.tolist()), []
        while left:
            found.append(min(left))
            left -= set(self.table[found[-1], kept].tolist())
        return found

    def _closure(self, generators: Sequence[int], size: int) -> np.ndarray | None:
        """Sorted members of what operations generate; None where they are more than size."""
        inside = np.zeros(len(self), dtype=bool)
        fresh = np.unique(np.asarray(generators, dtype=int))
        while len(fresh):
            inside[fresh] = True
            if inside.sum() > size:
                return None
            made = np.unique(self.table[fresh[:, None], np.asarray(generators)])
            fresh = made[~inside[made]]
        return np.flatnonzero(inside)

    def _new(self, members: np.ndarray, seen: set[bytes]) -> bool:
        """Whether no conjugate of a subgroup was seen; all of them are from now on."""
        if members.astype(np.int32).tobytes() in seen:
            return False
        inverse = self.table.argmin(axis=1)  # operation 0 is the identity
        for g in range(len(self)):
            conjugate = np.sort(self.table[self.table[g, members], inverse[g]])
            seen.add(conjugate.astype(np.int32).tobytes())
        return True


def _place(points: Float[np.ndarray, "*points 3"], centrings: Float[np.ndarray, "centrings 3"]) -> np.ndarray:
    """Which centring each point is, modulo the lattice. Raises ValueError for one that is none."""
    off = _off(points, centrings)
    if (off.min(axis=-1) > _SAME).any():
        raise ValueError(_NO_GROUP)
    return np.asarray(off.argmin(axis=-1))


def _off(points: Float[np.ndarray, "*points 3"], others: Float[np.ndarray, "others 3"]) -> np.ndarray:
    """How far each point is from each of the others, modulo the lattice: the largest component."""
    off = points[..., None, :] - others
    return np.asarray(np.abs(off - np.round(off)).max(axis=-1))


def _trivial(rotations: np.ndarray) -> bool:
    return bool((rotations == rotations[:, :1, :1] * np.eye(3, dtype=int)).all())


_Table = tuple[tuple[int, ...], ...]


def _frozen(table: np.ndarray) -> _Table:
    return tuple(tuple(row) for row in table.tolist())


@lru_cache(maxsize=64)
def _subgroups(table: _Table, conjugate: bool) -> tuple[frozenset[int], ...]:
    """Subgroups of a small group, by adding one element at a time; conjugate: one of each class only."""
    identity = next(k for k, row in enumerate(table) if row == tuple(range(len(table))))
    inverse = [row.index(identity) for row in table]
    found = [frozenset([identity])]
    seen = {found[0]}
    for group in found:  # grows while it is walked
        for element in range(len(table)):
            if element in group:
                continue
            larger = _generated(table, (*group, element))
            if larger in seen:
                continue
            found.append(larger)
            for g in range(len(table)) if conjugate else (identity,):
                seen.add(frozenset(table[table[g][m]][inverse[g]] for m in larger))
    return tuple(found)


def _generated(table: _Table, generators: Sequence[int]) -> frozenset[int]:
    inside, fresh = set(generators), list(generators)
    while fresh:
        made = {table[a][b] for a in fresh for b in generators} - inside
        inside |= made
        fresh = list(made)
    return frozenset(inside)


@lru_cache(maxsize=1024)
def _generators(table: _Table, group: frozenset[int]) -> tuple[int, ...]:
    """Few elements that generate a group, the one that gives the most first."""
    chosen: tuple[int, ...] = ()
    while not chosen or _generated(table, chosen) != group:
        chosen = (*chosen, max(sorted(group), key=lambda g: len(_generated(table, (*chosen, g)))))
    return chosen
