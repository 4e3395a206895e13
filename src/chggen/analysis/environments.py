"""Neighbours of atoms, by pymatgen: coordination numbers, kinds of coordination polyhedra and bond angles."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from chggen.analysis.overlap import overlap, shares_overlap

if TYPE_CHECKING:
    from pymatgen.analysis.local_env import CrystalNN
    from pymatgen.core import Structure

ANGLE_STEP: Final = 2
"""Degrees between two points of a distribution of angles."""
_NAMED: Final = 6  # most neighbours whose polyhedron is sought: all orders are tried, which takes ever longer


@dataclass(frozen=True, eq=False)
class Environments:
    """What the atoms of one element have around them, over all structures.

    Attributes:
        atoms: How many atoms were looked at.
        numbers: Coordination number, as text, to the share of the atoms.
        polyhedra: Symbol of ChemEnv, such as `T:4` for a tetrahedron, to the share of the atoms; of more than six or
            fewer than two neighbours their number.
        neighbors: Element to how many neighbours of it an atom has on average.
        angles: Share of the angles neighbour-atom-neighbour in each interval of two degrees from 0, of shape (90,).
    """

    atoms: int
    numbers: dict[str, float]
    polyhedra: dict[str, float]
    neighbors: dict[str, float]
    angles: np.ndarray

    @property
    def mean_number(self) -> float:
        """Mean coordination number."""
        return sum(self.neighbors.values(), 0.0)

    def overlap(self, other: Environments) -> float:
        """Return how much of the coordination numbers is the same, 0 to 1.

        Args:
            other: Environments of the same element elsewhere.
        """
        return shares_overlap(self.numbers, other.numbers)

    def angle_overlap(self, other: Environments) -> float:
        """Return how alike the angles are: the area below both distributions over that below either, 0 to 1.

        Args:
            other: Environments of the same element elsewhere.
        """
        return overlap(self.angles, other.angles)


@dataclass(frozen=True)
class _Around:
    """The neighbours of one atom: vectors to them (n, 3) in Å, their elements, and the symbol of the polyhedron."""

    vectors: np.ndarray
    symbols: list[str]
    polyhedron: str


def environments(structures: Sequence[Structure]) -> dict[str, Environments]:
    """Return what the atoms of each element have around them.

    Neighbours are those of pymatgen's CrystalNN, which weighs Voronoi neighbours by solid angle and electronegativity.
    Two to six of them are named after the nearest of ChemEnv's polyhedra by its continuous symmetry measure
    (Waroquiers et al., Chem. Mater. 29, 8346, 2017).

    Args:
        structures: Ordered crystals.

    Returns:
        Element to environments, elements in alphabetical order. An atom that has no Voronoi cell, as one far from all
        others, is left out.
    """
    from pymatgen.analysis.local_env import CrystalNN

    finder, found = CrystalNN(), dict[str, list[_Around]]()
    for structure in structures:
        bare = structure.copy().remove_oxidation_states()
        for k, site in enumerate(bare):
            around = _around(finder, bare, k)
            if around is not None:
                found.setdefault(site.specie.symbol, []).append(around)
    return {symbol: _collected(found[symbol]) for symbol in sorted(found)}


def _around(finder: CrystalNN, structure: Structure, k: int) -> _Around | None:
    """Return the neighbours of the k-th atom; None where they cannot be told."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of radii that are not known
        try:
            near = [one["site"] for one in finder.get_nn_info(structure, k)]
        except (ValueError, RuntimeError):  # no Voronoi cell
            return None
    vectors = np.array([site.coords - structure[k].coords for site in near]).reshape(-1, 3)
    return _Around(vectors, [site.specie.symbol for site in near], _polyhedron(vectors))


@cache
def _finder() -> Any:
    from pymatgen.analysis.chemenv.coordination_environments.coordination_geometry_finder import LocalGeometryFinder

    return LocalGeometryFinder()


def _polyhedron(vectors: np.ndarray) -> str:
    """Return the symbol of the polyhedron that some vectors are most like; their number where none is sought."""
    from pymatgen.analysis.chemenv.coordination_environments.coordination_geometry_finder import AbstractGeometry

    if not 2 <= len(vectors) <= _NAMED:
        return str(len(vectors))
    finder = _finder()
    finder.local_geometry = AbstractGeometry(
        central_site=np.zeros(3), bare_coords=vectors, centering_type="centroid", include_central_site_in_centroid=True
    )
    finder.setup_ordered_indices_local_geometry(len(vectors))
    measures = finder.get_coordination_symmetry_measures(only_minimum=True, all_csms=False)
    return str(min(measures, key=lambda symbol: float(measures[symbol]["csm"])))


def _collected(around: Sequence[_Around]) -> Environments:
    n = len(around)
    numbers = Counter(len(one.vectors) for one in around)
    polyhedra = Counter(one.polyhedron for one in around)
    neighbors = Counter(symbol for one in around for symbol in one.symbols)
    angles = np.concatenate([_angles(one.vectors) for one in around])
    histogram = np.histogram(angles, np.arange(0, 180 + ANGLE_STEP, ANGLE_STEP))[0]
    return Environments(
        atoms=n,
        numbers={str(k): numbers[k] / n for k in sorted(numbers)},
        polyhedra={symbol: count / n for symbol, count in polyhedra.most_common()},
        neighbors={symbol: neighbors[symbol] / n for symbol in sorted(neighbors)},
        angles=histogram / max(1, len(angles)),
    )


def _angles(vectors: np.ndarray) -> np.ndarray:
    """Return all angles between two of some vectors, degrees."""
    if len(vectors) < 2:
        return np.zeros(0)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    first, second = np.triu_indices(len(unit), 1)
    return np.asarray(np.degrees(np.arccos(np.clip((unit @ unit.T)[first, second], -1, 1))))
