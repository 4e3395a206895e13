"""A small picture of a structure: atoms as circles by depth, and the edges of the cell, as SVG."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    from pymatgen.core import Structure

_MOST_ATOMS: Final = 400  # images included; of larger cells none are shown
_ON_A_FACE: Final = 0.02  # fractional; atoms so near to a face are shown on the opposite one, too
_SHRUNK: Final = 0.55  # circles against covalent radii, so that atoms behind are seen
_FAR: Final = 0.55  # share of white in the colour of the farthest atom
_CORNERS: Final = np.array(list(product((0, 1), repeat=3)), dtype=float)
_EDGES: Final = [(i, j) for i, j in product(range(8), repeat=2) if i < j and bin(i ^ j).count("1") == 1]


def structure_svg(structure: Structure, size: int = 120) -> str:
    """Draw a structure.

    It is seen a little from above and from the side, without perspective. Atoms farther away are paler.

    Args:
        structure: The structure. Of a shared site the species with the largest share is drawn.
        size: Width and height, pixels.

    Returns:
        An SVG element that needs nothing else.
    """
    from ase.data import covalent_radii
    from ase.data.colors import jmol_colors

    frac, numbers = _shown(structure)
    view = _view()
    cell = structure.lattice.matrix
    corners, places = _CORNERS @ cell @ view, frac @ cell @ view
    radii = _SHRUNK * covalent_radii[numbers]
    points = np.concatenate([corners[:, :2], places[:, :2] - radii[:, None], places[:, :2] + radii[:, None]])
    low, high = points.min(axis=0), points.max(axis=0)
    scale = (size - 4) / max(float((high - low).max()), 1e-9)
    middle = (low + high) / 2

    def on_page(xyz: Float[np.ndarray, "points 3"]) -> Float[np.ndarray, "points 2"]:
        return np.asarray((xyz[:, :2] - middle) * (scale, -scale) + size / 2)

    ends = on_page(corners)
    path = "".join(f"M{ends[i, 0]:.1f} {ends[i, 1]:.1f}L{ends[j, 0]:.1f} {ends[j, 1]:.1f}" for i, j in _EDGES)
    depth = places[:, 2]
    nearness = (depth - depth.min(initial=np.inf)) / max(float(np.ptp(depth)) if len(depth) else 0.0, 1e-9)
    circles = []
    centres = on_page(places)
    for k in np.argsort(depth, kind="stable"):
        white = _FAR * (1 - nearness[k])
        red, green, blue = np.rint(255 * (white + (1 - white) * jmol_colors[numbers[k]])).astype(int)
        x, y = centres[k]
        circles.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{scale * radii[k]:.1f}" fill="#{red:02x}{green:02x}{blue:02x}"/>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}" viewBox="0 0 {size} {size}" '
        f'role="img"><title>{structure.composition.reduced_formula}</title>'
        f'<path d="{path}" stroke="#808080" fill="none"/><g stroke="#404040" stroke-width="0.5">'
        f"{''.join(circles)}</g></svg>"
    )


def _shown(structure: Structure) -> tuple[Float[np.ndarray, "atoms 3"], np.ndarray]:
    """Return fractional coordinates and atomic numbers of what is drawn: atoms, and their images on faces."""
    frac = np.asarray(structure.frac_coords, dtype=float).reshape(-1, 3)
    numbers = np.array([max(site.species.items(), key=lambda item: item[1])[0].Z for site in structure], dtype=int)
    frac = frac - np.floor(frac + _ON_A_FACE)  # from -0.02 on
    images = [(f + shift, z) for f, z in zip(frac, numbers, strict=True) for shift in _CORNERS if _inside(f + shift)]
    if len(images) > _MOST_ATOMS:
        images = []
    return np.array([f for f, _ in images]).reshape(-1, 3), np.array([z for _, z in images], dtype=int)


def _inside(frac: Float[np.ndarray, "3"]) -> bool:
    return bool((frac <= 1 + _ON_A_FACE).all())


def _view() -> Float[np.ndarray, "3 3"]:
    """Return the rotation that row vectors are multiplied by: x to the right, y up the page, z towards the reader."""
    a, b = np.deg2rad([-75.0, 12.0])
    about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    return np.asarray((about_x @ about_z).T)
