"""What became of the layer between two crystals: neighbours of its atoms, new bonds, how thick it is.

Two atoms are bonded that are no farther apart than 1.25 times the sum of their covalent radii (Cordero et al., Dalton
Trans. 2832, 2008). Where a crystal has an anion, its most electronegative element if that is no metal, a metal is
bonded to anions alone: metal atoms around a common anion are near each other as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jaxtyping import Bool, Float

from chggen.generation import InterfaceCell

if TYPE_CHECKING:
    from pymatgen.core import Structure

Neighbours = Counter[str]
"""Element symbol to number of neighbours of an atom."""
_BOND: Final = 1.25  # of the sum of covalent radii
_MOVED: Final = 1.0  # Å from its site, from which an atom counts as reacted


@dataclass(frozen=True)
class InterfaceLayer:
    """What became of the layer between two crystals.

    Attributes:
        thickness: Height between the lowest and the highest atom that reacted, Å; 0 where none did.
        coordination: Element symbol to its mean numbers of neighbours: `layer`, `first` and `second`, in the layer and
            in the two crystals, each as element symbol to number, or None where there is none of it.
        new_bonds: Pairs of elements, such as `P-O`, that are bonded in the layer and in neither crystal, to number of
            bonds of atoms of the layer.
    """

    thickness: float
    coordination: dict[str, dict[str, dict[str, float] | None]]
    new_bonds: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"thickness": self.thickness, "coordination": self.coordination, "new_bonds": self.new_bonds}


@dataclass(frozen=True, eq=False)
class LayerOfInterface:
    """Tells what became of the layer of each candidate of an interface.

    Args:
        cell: The interface.
        crystals: The two crystals.
        near: How far from the gap atoms of the crystals count to the layer, Å.
    """

    cell: InterfaceCell
    crystals: tuple[Structure, Structure]
    near: float

    def of(self, raw: Structure, end: Structure) -> InterfaceLayer | None:
        """Return what became of the layer of a candidate.

        An atom reacted that was put into the gap, or that moved by more than 1 Å from its site, the second crystal as a
        whole aside, or whose neighbours are others by kind than those of any atom of its element in its crystal and
        than its own in the slab before. Atoms nearer to the vacuum than to the gap do not count.

        Args:
            raw: The candidate before it was relaxed: atoms of the two slabs, then those that were put in.
            end: The candidate, its atoms in the same order.

        Returns:
            The layer; None where the atoms are not in the same order.
        """
        if [site.specie for site in raw] != [site.specie for site in end]:
            return None
        anions = anions_of(self.crystals)
        bulk = [neighbours(crystal, anions) for crystal in self.crystals]
        now = neighbours(end, anions)
        layer = self._near(raw, self.near)
        return InterfaceLayer(
            thickness=self._thickness(raw, end, now, bulk, anions),
            coordination=self._coordination(end, now, bulk, layer),
            new_bonds=_new_bonds(end, now, self._pairs(bulk), layer),
        )

    def _of_b(self, raw: Structure) -> np.ndarray:
        """Return 0 for atoms of the first crystal, 1 for the second, 2 for those that were put in."""
        return np.concatenate([self.cell.of_b.astype(int), np.full(len(raw) - len(self.cell.of_b), 2)])

    def _near(self, raw: Structure, within: float) -> Bool[np.ndarray, "atoms"]:
        """Return which atoms began within a distance of the gap, or in it."""
        low, high = self.cell.gap
        at = heights(raw)
        return np.asarray((at >= low - within) & (at <= high + within) | (self._of_b(raw) == 2))

    def _thickness(
        self, raw: Structure, end: Structure, now: Sequence[Neighbours], bulk: Sequence[Sequence[Neighbours]],
        anions: frozenset[str],
    ) -> float:  # fmt: skip
        """Return how thick the layer of atoms is that reacted, Å."""
        origin, at = self._of_b(raw), heights(end)
        step = end.frac_coords - raw.frac_coords
        step = (step - np.round(step)) @ end.lattice.matrix
        of_b = origin == 1
        if of_b.any():
            step[of_b] -= np.median(step[of_b], axis=0)  # the crystal as a whole
        reacted = (origin == 2) | (np.linalg.norm(step, axis=1) > _MOVED)
        for which in (0, 1):
            own = np.flatnonzero(origin == which).tolist()
            slab = raw.copy()
            slab.remove_sites(np.flatnonzero(origin != which).tolist())
            for k, before in zip(own, neighbours(slab, anions), strict=True):
                kinds = [bulk[which][i] for i, site in enumerate(self.crystals[which]) if site.specie == raw[k].specie]
                reacted[k] |= now[k] not in kinds and now[k] != before
        reacted &= self._inner(raw, origin)
        return float(np.ptp(at[reacted])) if reacted.any() else 0.0

    def _inner(self, raw: Structure, origin: np.ndarray) -> Bool[np.ndarray, "atoms"]:
        """Return which atoms began nearer to the gap than to the vacuum."""
        low, high = self.cell.gap
        at = heights(raw)
        bottom, top = at[origin == 0].min(), at[origin == 1].max()
        return np.asarray((at >= (low + bottom) / 2) & (at <= (high + top) / 2))

    def _coordination(
        self, end: Structure, now: Sequence[Neighbours], bulk: Sequence[Sequence[Neighbours]], layer: np.ndarray
    ) -> dict[str, dict[str, dict[str, float] | None]]:
        """Return the mean numbers of neighbours of each element of the layer, there and in the crystals."""
        symbols = [site.specie.symbol for site in end]
        inside = [(symbol, own) for symbol, own, here in zip(symbols, now, layer, strict=True) if here]
        parts = [inside, *(
            [(site.specie.symbol, own) for site, own in zip(crystal, counted, strict=True)]
            for crystal, counted in zip(self.crystals, bulk, strict=True)
        )]  # fmt: skip
        names = ("layer", "first", "second")
        return {
            symbol: {
                name: _mean(own for s, own in part if s == symbol) for name, part in zip(names, parts, strict=True)
            }
            for symbol in sorted({symbol for symbol, _ in inside})
        }

    def _pairs(self, bulk: Sequence[Sequence[Neighbours]]) -> set[frozenset[str]]:
        """Return the pairs of elements that are bonded in either crystal."""
        return {
            frozenset((site.specie.symbol, other))
            for crystal, counted in zip(self.crystals, bulk, strict=True)
            for site, own in zip(crystal, counted, strict=True)
            for other in own
        }


def heights(structure: Structure) -> Float[np.ndarray, "atoms"]:
    """Return the heights of atoms in a cell whose third axis is normal to the others, Å, wrapped into it.

    Args:
        structure: The cell.
    """
    return np.asarray((structure.frac_coords[:, 2] % 1) * structure.lattice.c)


def anions_of(crystals: Iterable[Structure]) -> frozenset[str]:
    """Return the most electronegative element of each crystal, unless it is a metal.

    Args:
        crystals: The crystals.
    """
    most = [max(crystal.composition.elements, key=lambda element: element.X) for crystal in crystals]
    return frozenset(element.symbol for element in most if not element.is_metal)


def neighbours(structure: Structure, anions: frozenset[str]) -> list[Neighbours]:
    """Return how many neighbours of which element each atom has.

    Args:
        structure: The structure.
        anions: Elements that alone are bonded to metals; none where metals are bonded to each other.
    """
    from ase.data import covalent_radii

    radii = np.array([covalent_radii[site.specie.Z] for site in structure])
    metal = np.array([site.specie.is_metal for site in structure])
    anion = np.array([site.specie.symbol in anions for site in structure])
    one, other, _, distance = structure.get_neighbor_list(2 * _BOND * float(radii.max()))
    bonded = distance <= _BOND * (radii[one] + radii[other])
    if anions:
        bonded &= ~(metal[one] | metal[other]) | anion[one] | anion[other]
    found = [Neighbours() for _ in structure]
    for i, j in zip(one[bonded], other[bonded], strict=True):
        found[i][structure[int(j)].specie.symbol] += 1
    return found


def _mean(counts: Iterable[Neighbours]) -> dict[str, float] | None:
    """Return the mean numbers of neighbours; None of no atoms."""
    every = list(counts)
    if not every:
        return None
    total = sum(every, Neighbours())
    return {symbol: total[symbol] / len(every) for symbol in sorted(total)}


def _new_bonds(
    end: Structure, now: Sequence[Neighbours], known: set[frozenset[str]], layer: np.ndarray
) -> dict[str, int]:
    """Return the pairs of elements that are bonded in the layer alone, to number of bonds of the first of each."""
    found: Counter[str] = Counter()
    for site, own, here in zip(end, now, layer, strict=True):
        symbol = site.specie.symbol
        for other, count in own.items() if here else ():
            label = bond_label(symbol, other)
            if frozenset((symbol, other)) not in known and label.startswith(f"{symbol}-"):
                found[label] += count
    return {label: count // 2 if _alike(label) else count for label, count in sorted(found.items())}


def _alike(label: str) -> bool:
    one, other = label.split("-")
    return one == other  # both ends of such a bond are counted


def bond_label(one: str, other: str) -> str:
    """Return what a bond of two elements is called, such as `P-O`: the less electronegative one first.

    Args:
        one: Element symbol.
        other: Element symbol.
    """
    from pymatgen.core import Element

    return "-".join(sorted((one, other), key=lambda symbol: Element(symbol).X))
