"""Telling whether structures are the same crystal: StructureMatcher's answer, at a fraction of its cost.

pymatgen's StructureMatcher reduces both structures, scales them to one volume, lays the cell of the first onto that of
the second in every way that its tolerances allow, and looks for a translation that brings all sites together. Here each
structure is reduced once, and cells and sites are compared as StructureMatcher does it, but with arrays that are laid
out once a structure. That sorts out pairs that cannot match. The others are handed to StructureMatcher, which decides.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from chggen.results import PackedStructure, packed, unpacked

if TYPE_CHECKING:
    from pymatgen.core import Composition, Structure

# Rounding may not sort out a pair that StructureMatcher finds just within its tolerances.
_SLACK: Final = 1e-6


class StructureComparison:
    """Compares structures with pymatgen's StructureMatcher at its default tolerances, and remembers the answers.

    One object serves a whole run, so that no structure is reduced and no pair compared twice.

    Example:
        >>> from pymatgen.core import Lattice, Structure
        >>> cesium_type = Structure(Lattice.cubic(4.1), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
        >>> StructureComparison().same(cesium_type, cesium_type * (2, 1, 1))
        True
    """

    def __init__(self) -> None:
        from pymatgen.analysis.structure_matcher import StructureMatcher

        self._matcher = StructureMatcher()
        self._reduced: dict[tuple[Any, ...], Reduced] = {}
        self._kinds: list[Composition] = []
        self._answers: dict[tuple[int, int], bool] = {}

    def same(self, one: Structure, other: Structure) -> bool:
        """Return whether two structures are the same crystal.

        Args:
            one: A structure in any cell.
            other: Another structure. StructureMatcher is not quite symmetric, so order can matter for pairs at the
                limits of its tolerances.

        Returns:
            Whether `StructureMatcher().fit(one, other)` holds.
        """
        return self.first_same(self.reduced(one), [self.reduced(other)]) is not None

    def reduced(self, structure: Structure) -> Reduced:
        """Return the reduced form of a structure, made once for each structure.

        Args:
            structure: A structure in any cell.

        Returns:
            What comparisons need of it.
        """
        coordinates = structure.frac_coords
        occupied = tuple(site.specie if site.is_ordered else site.species for site in structure)  # small ones mostly
        places = hashlib.sha256(structure.lattice.matrix.tobytes() + coordinates.tobytes()).digest()
        content = (places, occupied)
        if content not in self._reduced:
            self._reduced[content] = self._reduce(structure)
        return self._reduced[content]

    def first_same(self, one: Reduced, others: Sequence[Reduced]) -> int | None:
        """Return which of several structures is the first that a structure matches.

        Args:
            one: The structure to compare.
            others: Structures to compare it with, in order. Those of another composition or size never match.

        Returns:
            The index of the first match in `others`, or None where there is none.
        """
        alike = [k for k, other in enumerate(others) if other.contents == one.contents]
        if not alike:
            return None
        cells = np.array([others[k].lengths for k in alike])
        # each vector of a cell laid onto another is as long as one of that cell's, so no successive minimum is longer
        longest = np.sort(cells, axis=1) * (1 + self._matcher.ltol + _SLACK)
        fits: list[bool] = np.all(np.sort(one.lengths) <= longest, axis=1).tolist()
        layer: _Layer | None = None
        for k, possible in zip(alike, fits, strict=True):
            pair = (one.number, others[k].number)
            if possible and pair not in self._answers:
                if layer is None:
                    layer = _Layer(one, self._matcher, float(cells.max()))
                self._answers[pair] = layer.may_match(others[k]) and bool(
                    self._matcher.fit(one.structure, others[k].structure, skip_structure_reduction=True)
                )
            if possible and self._answers[pair]:
                return k
        return None

    def _reduce(self, structure: Structure) -> Reduced:
        """Reduce a structure as StructureMatcher does."""
        from pymatgen.core import Structure

        found = Structure.from_sites(list(structure)).get_reduced_structure("niggli").get_primitive_structure()
        kinds = np.array([self._kind(site.species) for site in found])
        counts = np.bincount(kinds)
        lattice = found.lattice
        return Reduced(
            number=len(self._reduced),
            kept=packed(found),
            contents=tuple(counts.tolist()),
            matrix=lattice.matrix / lattice.volume ** (1 / 3),
            lengths=np.array(lattice.abc) / lattice.volume ** (1 / 3),
            angles=np.array(lattice.angles),
            frac_coords=found.frac_coords,
            kinds=kinds,
            pivot=int(np.argmin(counts[kinds])),
        )

    def _kind(self, species: Composition) -> int:
        """Return the number of what occupies a site, the same for sites that StructureMatcher takes for equal."""
        for number, known in enumerate(self._kinds):
            if known == species:
                return number
        self._kinds.append(species)
        return len(self._kinds) - 1


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Reduced:
    """A structure in its reduced primitive cell, scaled to unit volume.

    Attributes:
        number: Which of the structures of a comparison it is.
        kept: The reduced structure, not scaled, packed where it can be.
        contents: Number of sites of each kind. Only structures with equal contents can match.
        matrix: Lattice vectors as rows, [3 3], for a cell of volume 1.
        lengths: Lengths of the lattice vectors, [3], for a cell of volume 1.
        angles: Angles of the lattice, [3], in degrees.
        frac_coords: Fractional coordinates, [sites 3].
        kinds: What occupies each site, [sites].
        pivot: The first site of the rarest kind. StructureMatcher lays it onto each site of that kind in turn.
    """

    number: int
    kept: Structure | PackedStructure
    contents: tuple[int, ...]
    matrix: np.ndarray
    lengths: np.ndarray
    angles: np.ndarray
    frac_coords: np.ndarray
    kinds: np.ndarray
    pivot: int

    @property
    def structure(self) -> Structure:
        """The reduced structure, not scaled."""
        return unpacked(self.kept)


class _Layer:
    """One structure, to be laid onto others: what of StructureMatcher's search depends on that structure alone."""

    def __init__(self, one: Reduced, matcher: Any, longest: float) -> None:
        self._one = one
        self._ltol, self._stol = matcher.ltol + _SLACK, matcher.stol
        self._angle_tol = matcher.angle_tol + _SLACK
        self._points, vectors = _lattice_points(one.matrix, longest * (1 + self._ltol))
        self._lengths = np.linalg.norm(vectors, axis=1)
        cosines = vectors @ vectors.T / self._lengths / self._lengths[:, None]
        self._angles = np.degrees(np.arccos(np.clip(cosines, -1, 1)))

    def may_match(self, other: Reduced) -> bool:
        """Return whether some way of laying the structure onto another brings all sites near their partners."""
        laid, lengths, angles = self._cells_laid(other)
        if not len(laid):
            return False
        one = self._one
        tolerances = self._site_tolerances((lengths + other.lengths) / 2, (angles + other.angles) / 2)
        own = one.frac_coords @ np.linalg.inv(laid)  # [cells sites 3]
        partners = np.flatnonzero(one.kinds == other.kinds[other.pivot])
        shifts = own[:, partners] - other.frac_coords[other.pivot]  # [cells shifts 3]
        near = np.ones(shifts.shape[:2], dtype=bool)
        for kind in np.argsort(one.contents, kind="stable"):  # the rarest first: they sort out the most
            sites = other.frac_coords[other.kinds == kind]
            if not len(sites):
                continue
            cell, shift = np.nonzero(near)
            if not len(cell):
                return False
            moved = sites + shifts[cell, shift][:, None]  # [left sites 3]
            apart = moved[:, :, None] - own[cell][:, None, one.kinds == kind]
            apart -= np.round(apart)
            within = (np.abs(apart) <= tolerances[cell][:, None, None]).all(axis=-1)
            near[cell, shift] = within.any(axis=2).all(axis=1)
        return bool(near.any())

    def _cells_laid(self, other: Reduced) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the cells of the structure that are like another's: in its lattice [cells 3 3], lengths, angles."""
        stretch = self._lengths / other.lengths[:, None]
        a, b, c = (np.flatnonzero(row) for row in (stretch < 1 + self._ltol) & (stretch > 1 / (1 + self._ltol)))
        alpha, beta, gamma = (
            np.abs(self._angles[first[:, None], second] - angle) <= self._angle_tol
            for first, second, angle in zip((b, a, a), (c, c, b), other.angles.tolist(), strict=True)
        )
        i, j, k = np.nonzero(gamma[:, :, None] & beta[:, None, :] & alpha[None])
        chosen = np.stack([a[i], b[j], c[k]], axis=1)
        cells = self._points[chosen]
        chosen = chosen[np.abs(np.abs(np.linalg.det(cells)) - 1) < 0.5]
        first, second, third = chosen.T
        angles = [self._angles[second, third], self._angles[first, third], self._angles[first, second]]
        return self._points[chosen], self._lengths[chosen], np.stack(angles, axis=1)

    def _site_tolerances(self, lengths: np.ndarray, angles: np.ndarray) -> np.ndarray:
        """Return how far apart sites may be in cells of these lengths and angles, fractional, [cells 3]."""
        cosines, sines = np.cos(np.radians(angles)), np.sin(np.radians(angles))
        flat = np.sqrt(np.maximum(1 - (cosines**2).sum(axis=1) + 2 * cosines.prod(axis=1), 0))
        volumes = lengths.prod(axis=1) * flat
        spacings = lengths * flat[:, None] / sines  # of the lattice planes
        size = (volumes / len(self._one.kinds)) ** (1 / 3)
        return np.asarray(2 * self._stol * size[:, None] / spacings * (1 + _SLACK) + _SLACK)


def _lattice_points(matrix: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the lattice points within a radius but the origin, [points 3] in lattice and Cartesian coordinates."""
    reach = [math.floor(radius * x + _SLACK) for x in np.linalg.norm(np.linalg.inv(matrix), axis=0)]
    axes = (np.arange(-n, n + 1) for n in reach)
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    points = points[points.any(axis=1)]
    vectors = points @ matrix
    near = (vectors**2).sum(axis=1) <= radius**2 * (1 + _SLACK)
    return points[near], vectors[near]
