"""Subgroups of small finite groups that are given by their multiplication tables.

Elements are numbered from 0. A table is a tuple of rows, so that results can be cached: table[i][j] is the number of
the product of element i and element j.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

Table = tuple[tuple[int, ...], ...]
"""Multiplication table of a finite group."""


def as_table(products: np.ndarray) -> Table:
    """Convert a multiplication table to tuples.

    Args:
        products: Number of the product of each pair of elements, of shape (elements, elements).

    Returns:
        The same table as a tuple of rows.
    """
    return tuple(tuple(row) for row in products.tolist())


@lru_cache(maxsize=64)
def subgroups_of(table: Table, conjugate: bool) -> tuple[frozenset[int], ...]:
    """List the subgroups of a group. They are found by adding one element at a time, starting from the identity.

    Args:
        table: Multiplication table of the group.
        conjugate: Whether to list only one subgroup of each class of conjugate subgroups.

    Returns:
        The elements of each subgroup. The trivial subgroup comes first.
    """
    identity = next(k for k, row in enumerate(table) if row == tuple(range(len(table))))
    inverse = [row.index(identity) for row in table]
    found = [frozenset([identity])]
    seen = {found[0]}
    for group in found:  # the list grows while the loop runs
        for element in range(len(table)):
            if element in group:
                continue
            larger = generated_by(table, (*group, element))
            if larger in seen:
                continue
            found.append(larger)
            for g in range(len(table)) if conjugate else (identity,):
                seen.add(frozenset(table[table[g][m]][inverse[g]] for m in larger))
    return tuple(found)


def generated_by(table: Table, generators: Sequence[int]) -> frozenset[int]:
    """Return the subgroup that elements generate.

    Args:
        table: Multiplication table of the group.
        generators: Elements of the group, at least one.

    Returns:
        All products of the generators.
    """
    inside, fresh = set(generators), list(generators)
    while fresh:
        made = {table[a][b] for a in fresh for b in generators} - inside
        inside |= made
        fresh = list(made)
    return frozenset(inside)


@lru_cache(maxsize=1024)
def generators_of(table: Table, group: frozenset[int]) -> tuple[int, ...]:
    """Choose a few elements that generate a subgroup.

    Each time the element is added that gives the largest subgroup together with those before it.

    Args:
        table: Multiplication table of the whole group.
        group: Elements of the subgroup.

    Returns:
        The generators.
    """
    chosen: tuple[int, ...] = ()
    while not chosen or generated_by(table, chosen) != group:
        chosen = (*chosen, max(sorted(group), key=lambda g: len(generated_by(table, (*chosen, g)))))
    return chosen
