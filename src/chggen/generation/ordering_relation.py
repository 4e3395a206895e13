"""OrderingRelation: how an ordered crystal relates to the average one: supercell, subgroup, ways, displacements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from jaxtyping import Float, Int

from chggen.generation.disorder import SYMPREC, VACANT, Disorder, marked_sites
from chggen.generation.ordering_cells import OrderingCell
from chggen.generation.ordering_sites import OrderingSites
from chggen.symmetry import operations, point_group_order, space_group

if TYPE_CHECKING:
    from pymatgen.core import Structure

_SAME_CELL: Final = 0.05  # Å between axes of a cell and those of the supercell that it is
_AWAY: Final = 1.0  # Å from every site that may hold it, beyond which an atom stands on none
_ROUNDS: Final = 4  # in which the common shift of atoms and sites is found


@dataclass(frozen=True)
class OrderingRelation:
    """How an ordered crystal relates to the average one.

    Its group is a subgroup of the average crystal's, of index t·k: t point operations are lost for each that is kept
    (translationengleiche part), and k translations (klassengleiche part). The index is also the number of ways in which
    the ordering may lie in the average crystal.

    Attributes:
        supercell: Rows are the axes of its cell in terms of those of the average primitive cell.
        atoms: Atoms in the primitive cell of the ordering.
        group: International number of the space group that the ordering has on the average sites; None where it was
            not found.
        t: Part of the index that point operations make; None where a group was not found.
        k: Part of the index that translations make.
        ways: Ways of filling the sites of this very supercell that are the same crystal.
        shares: For each sublattice what its sites hold, species to share, `VACANT` among them.
        rms: Root mean square displacement of the atoms from their sites, strain and common shift taken out, Å.
        largest: The largest one, Å.
        moved: Atoms that relaxation took from their site to another.
        off: Atoms that stand on no site of their own.
    """

    supercell: tuple[tuple[int, ...], ...]
    atoms: int
    group: int | None
    t: int | None
    k: int
    ways: int
    shares: tuple[Mapping[str, float], ...]
    rms: float
    largest: float
    moved: int
    off: int

    @property
    def cells(self) -> int:
        """Average primitive cells in its cell."""
        return round(abs(float(np.linalg.det(np.array(self.supercell)))))

    @property
    def index(self) -> int | None:
        """Index of its group in that of the average crystal; None where a group was not found."""
        return None if self.t is None else self.t * self.k


class AverageCrystal:
    """The average crystal that ordered ones are related to.

    Args:
        disorder: What the disordered structure says.
    """

    def __init__(self, disorder: Disorder) -> None:
        self.disorder = disorder
        self._sites: dict[bytes, OrderingSites] = {}

    @property
    def group(self) -> int | None:
        """International number of its space group; None where it was not found."""
        return self._symmetry[0]

    @cached_property
    def _symmetry(self) -> tuple[int | None, int]:
        """Its space group, and the lattice points in the cell of `disorder`: 1 but for very many sites."""
        return _symmetry(self.disorder.lattice, self.disorder.frac, self.disorder.of_site.tolist())

    def relation(self, raw: Structure, structure: Structure) -> OrderingRelation | None:
        """Return how a crystal relates to the average one.

        What its sites hold is read off the relaxed atoms where each stands on a site of its own, else off the atoms as
        they were before.

        Args:
            raw: The crystal as it was made: in a supercell of the average one, near its sites.
            structure: The relaxed crystal with the same atoms in the same order. Its cell may be strained.

        Returns:
            The relation, or None where the cell is no supercell, or where atoms and sites do not fit each other.
        """
        symbols = [site.specie.symbol for site in structure]
        exact = raw.lattice.matrix @ np.linalg.inv(self.disorder.lattice)
        matrix = exact.round().astype(int)
        off = np.abs(matrix @ self.disorder.lattice - raw.lattice.matrix).max()
        if off > _SAME_CELL or round(abs(float(np.linalg.det(matrix)))) == 0:
            return None
        may_hold = self._may_hold(symbols)
        if [site.specie.symbol for site in raw] != symbols or not may_hold.any(axis=1).all():
            return None
        sign = 1 if np.linalg.det(matrix) > 0 else -1  # OrderingSites has right-handed cells
        sites = self._supercell(sign * matrix)
        fits = may_hold[:, sites.sublattice]
        before = _nearest(sites, sign * raw.frac_coords, raw.lattice.matrix * sign, fits, rounds=1)
        change = structure.frac_coords - raw.frac_coords
        near = sign * (structure.frac_coords - np.median(change - change.round(), axis=0))
        mean = sign * (raw.lattice.matrix + structure.lattice.matrix) / 2
        after = _nearest(sites, near, mean, fits, rounds=_ROUNDS)
        placed = next((own.site for own in (after, before) if not own.off), None)
        if placed is None:
            return None
        held = np.full(len(sites.frac), VACANT, dtype="<U4")
        held[placed] = symbols
        kinds = list(zip(sites.sublattice.tolist(), held.tolist(), strict=True))
        number = {kind: k for k, kind in enumerate(dict.fromkeys(kinds))}
        group, points = _symmetry(sites.lattice, sites.frac, [number[kind] for kind in kinds])
        known = group is not None and self.group is not None
        length = np.linalg.norm(after.shift, axis=1)
        return OrderingRelation(
            supercell=tuple(map(tuple, matrix.tolist())),
            atoms=len(raw) // points,
            group=group,
            t=point_group_order(self.group) // point_group_order(group) if known else None,  # type: ignore[arg-type]
            k=sites.cell.cells * self._symmetry[1] // points,
            ways=len(np.unique(held[sites.moves], axis=0)),
            shares=tuple(_shares(held[sites.sublattice == n]) for n in range(len(self.disorder.sublattices))),
            rms=float(np.sqrt((length**2).mean())),
            largest=float(length.max()),
            moved=int((after.site != before.site).sum()) if not (after.off or before.off) else 0,
            off=after.off,
        )

    def _may_hold(self, symbols: Sequence[str]) -> np.ndarray:
        """Return which atoms may stand on which sublattices, of shape (atoms, sublattices)."""
        return np.array([[s in own.occupancy for own in self.disorder.sublattices] for s in symbols])

    def _supercell(self, matrix: Int[np.ndarray, "3 3"]) -> OrderingSites:
        """Return the sites of a supercell, whose symmetry is looked for once."""
        key = matrix.tobytes()
        if key not in self._sites:
            nothing: tuple[Mapping[str, int], ...] = tuple({} for _ in self.disorder.sublattices)
            self._sites[key] = OrderingSites.of(self.disorder, OrderingCell(matrix, nothing, 0.0, None))
        return self._sites[key]


@dataclass(frozen=True)
class _Nearest:
    """Sites of atoms.

    site: the nearest site of each atom that may hold it. shift: how far the atom is from there in Å, without the common
    shift, of shape (atoms, 3). off: number of atoms that are far from it, or share it with another.
    """

    site: np.ndarray
    shift: np.ndarray
    off: int


def _nearest(
    sites: OrderingSites, frac: Float[np.ndarray, "atoms 3"], lattice: np.ndarray, fits: np.ndarray, rounds: int
) -> _Nearest:
    """Return the sites of atoms; in each round but the last the mean shift from them is taken off all atoms."""
    from pymatgen.core import Lattice
    from pymatgen.util.coord import pbc_shortest_vectors

    for left in reversed(range(rounds)):
        vectors, squares = pbc_shortest_vectors(Lattice(lattice), sites.frac, frac, return_d2=True)
        own = np.where(fits.T, squares, np.inf).argmin(axis=0)
        shift = vectors[own, np.arange(len(frac))]
        if left:
            frac = frac - shift.mean(axis=0) @ np.linalg.inv(lattice)
    far = np.linalg.norm(shift, axis=1) > _AWAY
    shared = np.bincount(own, minlength=len(sites.frac))[own] > 1
    return _Nearest(own, shift - shift.mean(axis=0), int((far | shared).sum()))


def _symmetry(lattice: np.ndarray, frac: np.ndarray, kinds: Sequence[int]) -> tuple[int | None, int]:
    """Return the space group of sites that differ by their kind, and the lattice points in the cell."""
    marked = marked_sites(lattice, frac, kinds)
    if marked is None:
        return None, 1
    rotations, _ = operations(marked, SYMPREC)
    return space_group(marked, SYMPREC), int((rotations == np.eye(3)).all(axis=(1, 2)).sum())


def _shares(held: np.ndarray) -> dict[str, float]:
    """Return the shares of what some sites hold."""
    return {str(symbol): count / len(held) for symbol, count in sorted(Counter(held.tolist()).items())}
