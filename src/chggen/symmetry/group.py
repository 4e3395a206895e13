"""Group, the finite group of a crystal's symmetry operations modulo the translations of its cell, and its subgroups."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from jaxtyping import Float, Int

from chggen.symmetry.finite_groups import as_table, generators_of, subgroups_of

_SAME: Final = 1e-3  # fractional; translations that differ by less are equal up to rounding
_NO_GROUP: Final = "the operations do not form a group in this cell"


@dataclass(frozen=True, eq=False)
class Group:
    """A finite group of space-group operations, modulo the translations of the cell at hand.

    An operation takes a point x, a column of fractional coordinates of the cell at hand, to R x + t. If the cell is
    not primitive, operations that differ by a centring translation count one by one: Fm-3m has 192 in its
    conventional cell and 48 in its primitive one. The identity comes first.

    Whether the operations form a group is not checked until `table` is first used, which then raises ValueError if
    they do not.

    Attributes:
        rotations: Rotations R in fractional coordinates, integer, of shape (operations, 3, 3).
        translations: Fractional translations t, of shape (operations, 3).
    """

    rotations: Int[np.ndarray, "operations 3 3"]
    translations: Float[np.ndarray, "operations 3"]

    @classmethod
    def of(cls, rotations: np.ndarray, translations: np.ndarray) -> Group:
        """Make a group of operations in any order.

        Args:
            rotations: Rotations in fractional coordinates, of shape (operations, 3, 3). They are rounded to integers.
            translations: Fractional translations, of shape (operations, 3).

        Returns:
            The group, with the identity moved to the front.

        Raises:
            ValueError: The identity is not among the operations.
        """
        wrapped = translations - np.round(translations)
        off = np.abs(rotations - np.eye(3)).max(axis=(1, 2)) + np.abs(wrapped).max(axis=1)
        if off.min() > _SAME:
            raise ValueError("the identity is not among the operations")
        order = [int(off.argmin()), *(k for k in range(len(off)) if k != off.argmin())]
        return cls(np.round(rotations[order]).astype(int), translations[order])

    def __len__(self) -> int:
        return len(self.rotations)

    def __reduce__(self) -> tuple[type[Group], tuple[np.ndarray, np.ndarray]]:
        """Pickle without the cached tables: they are large, workers do not need them, and plans go to every worker."""
        return Group, (self.rotations, self.translations)

    @cached_property
    def _kinds(self) -> tuple[np.ndarray, np.ndarray]:
        """The distinct rotations, of shape (kinds, 3, 3), and the index of each operation's own, (operations,)."""
        kinds, kind = np.unique(self.rotations.reshape(-1, 9), axis=0, return_inverse=True)
        return kinds.reshape(-1, 3, 3), kind.reshape(-1)

    @cached_property
    def point_table(self) -> Int[np.ndarray, "kinds kinds"]:
        """Multiplication table of the point group: the index of the product of each pair of distinct rotations."""
        kinds, _ = self._kinds
        index = {k.tobytes(): i for i, k in enumerate(kinds)}
        return np.array([[index[(a @ b).tobytes()] for b in kinds] for a in kinds])

    @cached_property
    def table(self) -> Int[np.ndarray, "operations operations"]:
        """Multiplication table of the group: `table[i, j]` is the index of operation i applied after operation j.

        Raises:
            ValueError: The operations do not form a group.
        """
        # Every operation is a centring applied after the first operation that has its rotation. So coordinates need
        # comparing only for products of these first operations, for sums of centrings, and for rotated centrings.
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
    def closed(self) -> bool:
        """Whether the operations form a group in this cell."""
        try:
            return len(self.table) == len(self)
        except (KeyError, ValueError):  # a product of rotations, or of operations, that is none of them
            return False

    @cached_property
    def centrings(self) -> Int[np.ndarray, "centrings"]:
        """Indices of the pure translations of the cell, of shape (centrings,); the identity is one of them."""
        return np.flatnonzero((self.rotations == np.eye(3, dtype=int)).all(axis=(1, 2)))

    @cached_property
    def trivial(self) -> bool:
        """Whether the space group is P1 or P-1: it has no rotations but the identity and the inversion."""
        return _trivial(self.rotations)

    def apply(self, operation: int, points: Float[np.ndarray, "*points 3"]) -> Float[np.ndarray, "*points 3"]:
        """Apply an operation to points.

        Args:
            operation: Index of the operation.
            points: Fractional coordinates of shape (..., 3).

        Returns:
            The moved points, of shape (..., 3), not wrapped into the cell.
        """
        moved: np.ndarray = points @ self.rotations[operation].T + self.translations[operation]
        return moved

    def only(self, members: Sequence[int] | np.ndarray) -> Group:
        """Return the subgroup of some of the operations.

        Args:
            members: Indices of the operations, the identity first, of shape (members,).

        Returns:
            The subgroup in the same cell.
        """
        return Group(self.rotations[members], self.translations[members])

    def in_basis(self, multiple: Int[np.ndarray, "3 3"]) -> Group:
        """Express the same operations in another basis of the same lattice.

        Args:
            multiple: Integer matrix M of determinant ±1, of shape (3, 3). The new lattice rows are M @ lattice.

        Returns:
            The group in the new basis, operations in the same order.
        """
        forward = np.linalg.inv(multiple).T
        rotations = np.round(forward @ self.rotations @ multiple.T).astype(int)
        return Group(rotations, self.translations @ forward.T)

    def subgroups(self) -> Iterator[Int[np.ndarray, "members"]]:
        """Yield the subgroups above P1 and P-1, one of each class of subgroups that are conjugate in this group.

        The group itself and its translationengleiche subgroups, which keep all translations, come first, from the
        largest to the smallest. Then come the subgroups that lose centrings of the cell (klassengleiche and general
        ones), again from the largest to the smallest.

        Yields:
            Sorted indices of a subgroup's operations, of shape (members,).
        """
        _, kind = self._kinds
        seen: set[bytes] = set()
        classes = sorted(subgroups_of(as_table(self.point_table), conjugate=True), key=len, reverse=True)
        for point in classes:
            if not self._only_inversion(point):
                yield np.flatnonzero(np.isin(kind, list(point)))
        for point, kept in self._with_fewer_centrings(classes):
            for members in self._lifts(point, kept):
                if self._new(members, seen):
                    yield members

    def _only_inversion(self, point: Iterable[int]) -> bool:
        """Return whether a set of rotations, given by indices, holds only the identity and the inversion."""
        return _trivial(self._kinds[0][list(point)])

    def _with_fewer_centrings(
        self, classes: Sequence[frozenset[int]]
    ) -> list[tuple[frozenset[int], Int[np.ndarray, "kept"]]]:
        """Return pairs of a point group and a proper subgroup of the centrings that it maps onto itself.

        The largest pairs come first.
        """
        every = self.centrings
        if len(every) == 1:
            return []
        index = {int(c): k for k, c in enumerate(every)}
        table = np.array([[index[int(self.table[a, b])] for b in every] for a in every])
        pairs = []
        for chosen in subgroups_of(as_table(table), conjugate=False):
            kept = every[sorted(chosen)]
            if len(kept) == len(every):
                continue
            for point in classes:
                if not self._only_inversion(point) and self._carried_by(point, kept):
                    pairs.append((point, kept))
        return sorted(pairs, key=lambda pair: -len(pair[0]) * len(pair[1]))

    def _carried_by(self, point: Iterable[int], kept: np.ndarray) -> bool:
        """Return whether rotations, given by indices, map a set of translations onto itself."""
        shifts = self.translations[kept]
        turned = (shifts @ r.T for r in self._kinds[0][list(point)])
        return all(bool((_off(t, shifts).min(axis=1) <= _SAME).all()) for t in turned)

    def _lifts(self, point: frozenset[int], kept: np.ndarray) -> Iterator[Int[np.ndarray, "members"]]:
        """Yield the subgroups that have this point group and these translations.

        Each comes from a choice of one operation for each generator of the point group.
        """
        _, kind = self._kinds
        cosets = self._cosets(kept)
        generators = generators_of(as_table(self.point_table), point)
        first = [int(np.flatnonzero(kind == g)[0]) for g in generators]
        size = len(point) * len(kept)
        for shifts in itertools.product(cosets, repeat=len(first)):
            lifted = [int(self.table[s, f]) for s, f in zip(shifts, first, strict=True)]
            members = self._closure([*kept.tolist(), *lifted], size)
            if members is not None:
                yield members

    def _cosets(self, kept: np.ndarray) -> list[int]:
        """Return the index of one centring for each coset of the kept translations."""
        left, found = set(self.centrings.tolist()), []
        while left:
            found.append(min(left))
            left -= set(self.table[found[-1], kept].tolist())
        return found

    def _closure(self, generators: Sequence[int], size: int) -> np.ndarray | None:
        """Return the sorted members of the group that operations generate, or None if it has more than `size`."""
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
        """Return whether a subgroup is conjugate to none of those seen, and add all its conjugates to them."""
        if members.astype(np.int32).tobytes() in seen:
            return False
        inverse = self.table.argmin(axis=1)  # operation 0 is the identity
        for g in range(len(self)):
            conjugate = np.sort(self.table[self.table[g, members], inverse[g]])
            seen.add(conjugate.astype(np.int32).tobytes())
        return True


def _place(points: Float[np.ndarray, "*points 3"], centrings: Float[np.ndarray, "centrings 3"]) -> np.ndarray:
    """Return the index of the centring that each point equals modulo the lattice; raise ValueError if it is none."""
    off = _off(points, centrings)
    if (off.min(axis=-1) > _SAME).any():
        raise ValueError(_NO_GROUP)
    return np.asarray(off.argmin(axis=-1))


def _off(points: Float[np.ndarray, "*points 3"], others: Float[np.ndarray, "others 3"]) -> np.ndarray:
    """Return the largest component of the difference of each point and each other one, modulo the lattice."""
    off = points[..., None, :] - others
    return np.asarray(np.abs(off - np.round(off)).max(axis=-1))


def _trivial(rotations: np.ndarray) -> bool:
    """Return whether all rotations are the identity or the inversion."""
    return bool((rotations == rotations[:, :1, :1] * np.eye(3, dtype=int)).all())
