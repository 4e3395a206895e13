"""Orbits of atoms: of a host under its group, and of guests whose sites are nearly symmetric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Int

from chggen.symmetry.free_volume import FreeVolume
from chggen.symmetry.group import Group
from chggen.symmetry.operations import images

_KEPT: Final = 0.5  # Å; how far an operation may carry a site from a site


@dataclass(frozen=True, eq=False)
class Orbits:
    """Every atom of a crystal as the image of its orbit's representative, host atoms first.

    frac: fractional coordinates; representative: index of an atom; atom = rotations · representative + translations,
    modulo the lattice; free: the projector of each atom's representative on the directions that it may move in. All
    act on columns of fractional coordinates. described: the positions taken, such as `Zn 2c 4h`.
    """

    frac: Float[np.ndarray, "atoms 3"]
    representative: Int[np.ndarray, "atoms"]
    rotations: Float[np.ndarray, "atoms 3 3"]
    translations: Float[np.ndarray, "atoms 3"]
    free: Float[np.ndarray, "atoms 3 3"]
    described: str = ""


def host_orbits(around: FreeVolume, group: Group, members: np.ndarray) -> Orbits:
    """The orbits of the host's atoms."""
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
    """Guest sites that are nearly orbits, made so, and the orbits of all atoms; by the operations that keep them best.

    Of the operations that carry sites within _KEPT Å of sites, the largest group up to a common distance. None where
    that is P1 or P-1.
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
