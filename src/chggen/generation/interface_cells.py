"""Cells of two crystals face to face: slabs that match, strained to one net, with a gap between them.

Slabs and matching are pymatgen's (`CoherentInterfaceBuilder`; Zur & McGill, J. Appl. Phys. 55, 378, 1984).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from jaxtyping import Bool

from chggen.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Structure

Miller = tuple[int, int, int]
StrainOn = Literal["a", "b", "both"]
_WIDER: Final = 0.3  # strain within which the nearest match is looked for where none is within the limit
_ANGLE: Final = 0.02  # relative difference of the angles of matching nets


@dataclass(frozen=True, kw_only=True)
class InterfaceRequest:
    """What is asked of an interface.

    Attributes:
        miller_a: Plane of the first crystal, below.
        miller_b: Plane of the second crystal, above.
        thickness: Least thickness of each slab, Å.
        gap: Distance between the outermost atoms of the two, Å.
        vacuum: Empty height above the second, Å.
        max_area: Largest area of the common net, Å².
        max_strain: Largest strain of a side of the net.
        strain_on: The crystal that is strained to the other's net; `both` share it.
        termination: Number of the pair of terminations, from 0.
    """

    miller_a: Miller
    miller_b: Miller
    thickness: float = 8.0
    gap: float = 2.0
    vacuum: float = 12.0
    max_area: float = 200.0
    max_strain: float = 0.05
    strain_on: StrainOn = "b"
    termination: int = 0


@dataclass(frozen=True)
class InterfaceCell:
    """Two slabs face to face.

    Attributes:
        structure: The first crystal below, the second above it; the third axis is normal to the others.
        of_b: Which atoms are of the second crystal, of shape (atoms,).
        gap: Heights between which the gap lies, Å.
        area: Area of the interface, Å².
        strain: Largest strain of a side of the net, of the crystal that is strained.
        terminations: What all pairs of terminations are called; the first of each is that of the first crystal.
    """

    structure: Structure
    of_b: Bool[np.ndarray, "atoms"]
    gap: tuple[float, float]
    area: float
    strain: float
    terminations: tuple[tuple[str, str], ...]

    def shifted(self, along: Sequence[float]) -> Structure:
        """Return the cell with the second crystal moved in the plane.

        Args:
            along: Fractions of the first two axes.
        """
        moved = self.structure.copy()
        moved.translate_sites(np.flatnonzero(self.of_b).tolist(), [*along, 0.0], frac_coords=True)
        return moved

    def alone(self, of_b: bool) -> Structure:
        """Return one of the two slabs in the same cell.

        Args:
            of_b: Whether it is the second.
        """
        slab = self.structure.copy()
        slab.remove_sites(np.flatnonzero(self.of_b != of_b).tolist())
        return slab


def interface_cell(a: Structure, b: Structure, request: InterfaceRequest) -> InterfaceCell:
    """Return the smallest cell in which planes of two crystals match, of equal ones that of least strain.

    Args:
        a: The first crystal, below.
        b: The second crystal, above.
        request: What is asked for.

    Raises:
        InputError: The planes do not match within the limits, or there is no such pair of terminations.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        builder = _builder(a, b, request, request.max_strain)
        matches = sorted(_strains(builder.zsl_matches), key=lambda found: (round(found[1].match_area, 2), found[0]))
        matches = [found for found in matches if found[0] <= request.max_strain]
        if not matches:
            raise InputError(_no_match(a, b, request))
        terminations = tuple((below, above) for above, below in builder.terminations)
        if not 0 <= request.termination < len(terminations):
            raise InputError(
                f"there are {len(terminations)} pairs of terminations, numbered from 0; got {request.termination}"
            )
        strain, match = matches[0]
        builder.zsl_matches = [match]
        (built,) = builder.get_interfaces(
            termination=builder.terminations[request.termination],
            gap=request.gap,
            vacuum_over_film=request.vacuum,
            film_thickness=request.thickness,
            substrate_thickness=request.thickness,
            in_layers=False,
        )
        return _cell(built, match, strain, request, terminations)


def _builder(a: Structure, b: Structure, request: InterfaceRequest, strain: float) -> Any:
    """Return pymatgen's builder, whose film is the second crystal."""
    from pymatgen.analysis.interfaces.coherent_interfaces import CoherentInterfaceBuilder
    from pymatgen.analysis.interfaces.zsl import ZSLGenerator

    matching = ZSLGenerator(
        max_area_ratio_tol=(1 + strain) ** 2 - 1,
        max_area=request.max_area,
        max_length_tol=strain,
        max_angle_tol=_ANGLE,
        bidirectional=True,
    )
    plain = [structure.copy() for structure in (a, b)]
    for structure in plain:
        structure.remove_oxidation_states()
    return CoherentInterfaceBuilder(plain[0], plain[1], request.miller_b, request.miller_a, zslgen=matching)


def _strains(matches: Sequence[Any]) -> Iterator[tuple[float, Any]]:
    """Yield matches with the largest strain of a side."""
    for match in matches:
        lengths = [np.linalg.norm(v, axis=1) for v in (match.film_sl_vectors, match.substrate_sl_vectors)]
        yield float(np.abs(lengths[0] / lengths[1] - 1).max()), match


def _no_match(a: Structure, b: Structure, request: InterfaceRequest) -> str:
    """Return the sentence that says that planes do not match, and which match comes nearest."""
    found = sorted(((strain, m.match_area) for strain, m in _strains(_builder(a, b, request, _WIDER).zsl_matches)))
    near = (
        f"the nearest has {found[0][1]:.0f} Å² and a strain of {found[0][0]:.3f}"
        if found
        else f"none of up to {request.max_area:g} Å² comes within a strain of {_WIDER:g}"
    )
    planes = " and ".join(
        f"{structure.composition.reduced_formula} ({' '.join(map(str, plane))})"
        for structure, plane in ((a, request.miller_a), (b, request.miller_b))
    )
    return (
        f"{planes} do not match within {request.max_area:g} Å² and a strain of {request.max_strain:g}; {near}; raise "
        "--max-area or --max-strain, or take other planes"
    )


def _cell(
    built: Any, match: Any, strain: float, request: InterfaceRequest, terminations: tuple[tuple[str, str], ...]
) -> InterfaceCell:
    """Return a built interface as a plain structure in the net that is asked for, the first crystal at the bottom."""
    from pymatgen.core import Lattice, Structure

    of_b = np.array(["film" in label for label in built.site_properties["interface_label"]])
    matrix = np.array(built.lattice.matrix)
    up = np.cross(matrix[0], matrix[1])
    up /= np.linalg.norm(up)
    heights = built.cart_coords @ up
    plane = (built.cart_coords - np.outer(heights, up)) @ np.linalg.pinv(matrix[:2])  # in units of the net
    share = {"a": 1.0, "b": 0.0, "both": 0.5}[request.strain_on]
    sides = [np.linalg.norm(vectors, axis=1) for vectors in (match.film_sl_vectors, match.substrate_sl_vectors)]
    net = matrix[:2] * (1 + share * (sides[0] / sides[1] - 1))[:, None]  # the film was strained to the substrate's
    height = float(matrix[2] @ up)
    heights = heights - heights[~of_b].min() + request.vacuum / 2
    structure = Structure(
        Lattice([*net, height * up]), [site.specie for site in built], np.column_stack([plane, heights / height])
    )
    normal = np.cross(net[0], net[1])
    return InterfaceCell(
        structure=structure,
        of_b=of_b,
        gap=(float(heights[~of_b].max()), float(heights[of_b].min())),
        area=float(np.linalg.norm(normal)),
        strain=strain,
        terminations=terminations,
    )
