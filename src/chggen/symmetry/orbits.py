"""Orbits: symmetry-equivalent atoms, of a host under its group and of guests whose sites are nearly symmetric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Int

from chggen.symmetry.detection import images
from chggen.symmetry.free_volume import FreeVolume
from chggen.symmetry.group import Group

_KEPT: Final = 0.5  # Å; an operation nearly keeps the sites if it takes each this close to another


@dataclass(frozen=True, eq=False)
class Orbits:
    """All atoms of a crystal as images of the representatives of their orbits, host atoms first.

    The atom a is at R_a x + t_a modulo the lattice, where x is its representative, and R_a and t_a are its rotation
    and translation. All matrices act on columns of fractional coordinates.

    Attributes:
        frac: Fractional coordinates of the atoms, of shape (atoms, 3).
        representative: Index of the atom that represents each atom's orbit, of shape (atoms,).
        rotations: Rotations from the representatives to the atoms, of shape (atoms, 3, 3).
        translations: Fractional translations that go with them, of shape (atoms, 3).
        free: For each atom the projector on the directions in which the site symmetry lets its representative move, of
            shape (atoms, 3, 3).
        described: The Wyckoff positions that the guests take, such as `Zn 2c 4h`. Empty where they are not known.
    """

    frac: Float[np.ndarray, "atoms 3"]
    representative: Int[np.ndarray, "atoms"]
    rotations: Float[np.ndarray, "atoms 3 3"]
    translations: Float[np.ndarray, "atoms 3"]
    free: Float[np.ndarray, "atoms 3 3"]
    described: str = ""


def host_orbits(around: FreeVolume, group: Group, members: np.ndarray) -> Orbits:
    """Find the orbits of the host atoms of a cell.

    Args:
        around: The cell and its host atoms, which the operations permute.
        group: The group.
        members: Indices of the operations to use, which form a subgroup.

    Returns:
        The orbits. The representative of an orbit is its first atom.
    """
    n = len(around.frac)
    operations = zip(group.rotations[members], group.translations[members], strict=True)
    moved = [around.frac @ rotation.T + shift for rotation, shift in operations]
    image = np.array([images(m, around.frac, around.numbers, around.lattice)[0] for m in moved] if n else [])
    representative = image.min(axis=0) if n else np.zeros(0, dtype=int)
    through = np.array([int(np.flatnonzero(image[:, r] == a)[0]) for a, r in enumerate(representative)], dtype=int)
    free = np.zeros((n, 3, 3))
    for a, r in enumerate(representative):
        free[a] = group.rotations[members][image[:, r] == r].mean(axis=0)
    return Orbits(
        frac=around.frac,
        representative=representative,
        rotations=group.rotations[members][through].astype(float).reshape(-1, 3, 3),
        translations=group.translations[members][through].reshape(-1, 3),
        free=free,
    )


def orbits_of_sites(
    around: FreeVolume, group: Group, sites: Float[np.ndarray, "guests 3"]
) -> tuple[np.ndarray, Orbits] | None:
    """Make nearly symmetric guest sites symmetric, and find the orbits of all atoms.

    An operation's residual is the largest distance between a moved site and the site of its species that is nearest.
    The operations used are all those up to a common residual of at most 0.5 Å, the largest for which they form a
    group. Each site is then averaged over this group.

    Args:
        around: The cell, its host atoms, and the guests.
        group: The group of the host.
        sites: Fractional coordinates of the guests, in the order of `around.guests`, of shape (guests, 3).

    Returns:
        The symmetric guest sites, of shape (guests, 3), and the orbits of host and guests. None where no more than P1
        or P-1 is nearly kept.
    """
    numbers = np.repeat(list(around.guests), list(around.guests.values()))
    moved = [sites @ r.T + t for r, t in zip(group.rotations, group.translations, strict=True)]
    image, off = (np.array(x) for x in zip(*(images(m, sites, numbers, around.lattice) for m in moved), strict=True))
    onto = np.array([len(np.unique(targets)) == len(sites) for targets in image])
    residual = np.where(onto, np.linalg.norm(off @ around.lattice, axis=-1).max(axis=1), np.inf)
    for limit in np.unique(np.round(residual[residual < _KEPT], 6))[::-1]:
        members = np.flatnonzero(residual <= limit + 1e-6)
        if np.isin(group.table[np.ix_(members, members)], members).all():
            break
    if group.only(members).trivial:
        return None
    mean = sites + np.array([off[g][np.argsort(image[g])] for g in members]).mean(axis=0)
    filled = FreeVolume(
        lattice=around.lattice,
        frac=np.concatenate([around.frac, mean]),
        numbers=np.concatenate([around.numbers, numbers]),
        guests={},
    )
    return mean, host_orbits(filled, group, members)
