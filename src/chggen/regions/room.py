"""Room for guests: positions in their regions that keep atoms apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
from jaxtyping import Float

from chggen.crystals import Molecule, molecule_of
from chggen.errors import InputError, counted
from chggen.regions.given import region_for
from chggen.regions.protocol import Region

if TYPE_CHECKING:
    from pymatgen.core import Lattice, Structure

_APART: Final = (0.7, 0.6, 0.5)  # of the sum of covalent radii, one after the other; true bonds are longer than 0.8
_POINTS: Final = 400  # places that are tried for a guest
_AT_ONCE: Final = 40  # of them, whose distances are computed together
_ROUNDING: Final = 1e-6  # Å
_FILLINGS: Final = 2  # attempts with each of these, until there counts as being no room


def drawn_apart(
    host: Structure,
    guests: Mapping[str, int],
    regions: Mapping[str, Region],
    rng: np.random.Generator,
    shifts: Float[np.ndarray, "images 3"] | None = None,
) -> Float[np.ndarray, "guests 3"]:
    """Return places for guests at random in their regions, as far from other atoms as they fit.

    Molecules stay as they are and are turned at random: all of their atoms lie in the region, or where it is too narrow
    for that, their centres of mass.

    They are at least 0.7 of the sum of covalent radii apart, or down to 0.5 of it in dense crystals, since places that
    are taken one after the other fill no region as well as a crystal does.

    Args:
        host: The host.
        guests: Element symbol, or name of a molecule, to number of guests.
        regions: The same to region; an empty symbol stands for all guests without one of their own.
        rng: Random numbers.
        shifts: Fractional translations by which host and regions repeat, no translation first. Each guest that is drawn
            comes with its images, so counts are multiples of their number. None for guests that come alone.

    Returns:
        Fractional coordinates of shape (guests, 3), in the order of the guests, images behind each other; those of a
        molecule in its order.

    Raises:
        InputError: The region has no room for so many guests.
    """
    most, wanted = 0, sum(n * len(molecule_of(name).symbols) for name, n in guests.items())
    for apart in (apart for apart in _APART for _ in range(_FILLINGS)):
        places = _filled(host, guests, regions, apart, rng, np.zeros((1, 3)) if shifts is None else shifts)
        if len(places) == wanted:
            return np.array(places).reshape(-1, 3)
        most = max(most, len(places))
    asked = ", ".join(f"{n} {s}" for s, n in guests.items())
    raise InputError(
        f"the region has room for about {counted(most, 'atom')}, not for {asked}; ask for fewer, or for a larger region"
    )


def _filled(
    host: Structure,
    guests: Mapping[str, int],
    regions: Mapping[str, Region],
    apart: float,
    rng: np.random.Generator,
    shifts: np.ndarray,
) -> list[np.ndarray]:
    """Return places for as many of the guests as find one, one after the other, so much of the radii apart."""
    from ase.data import covalent_radii

    frac = [site.frac_coords for site in host]
    radii = [covalent_radii[site.specie.Z] for site in host]
    places: list[np.ndarray] = []
    for name, count in guests.items():
        molecule = molecule_of(name)
        own = covalent_radii[molecule.numbers]
        for _ in range(count // len(shifts)):
            tried = _tried(molecule, region_for(regions, name), host.lattice, rng)
            free = _first_free(tried, own, np.array(frac).reshape(-1, 3), np.array(radii), host.lattice, apart)
            if free is None:
                return places
            images = list((free + shifts[:, None]).reshape(-1, 3))
            places += images
            frac += images
            radii += [*own] * len(shifts)
    return places


def _tried(
    molecule: Molecule, region: Region | None, lattice: Lattice, rng: np.random.Generator
) -> Float[np.ndarray, "tried atoms 3"]:
    """Return places for a guest, fractional: those all of whose atoms lie in the region first."""
    centres = rng.random((_POINTS, 3)) if region is None else region.draw(_POINTS, rng)
    if region is not None:
        centres = np.asarray(lattice.get_fractional_coords(centres))
    if len(molecule.symbols) == 1:
        return centres[:, None]
    turned = molecule.turned(_POINTS, rng)
    tried = centres[:, None] + turned @ lattice.inv_matrix
    if region is None:
        return np.asarray(tried)
    inside = region.contains((tried @ lattice.matrix).reshape(-1, 3)).reshape(tried.shape[:2]).all(1)
    return np.concatenate([tried[inside], tried[~inside]])


def _first_free(
    tried: np.ndarray, own: np.ndarray, frac: np.ndarray, radii: np.ndarray, lattice: Lattice, apart: float
) -> Float[np.ndarray, "atoms 3"] | None:
    """Return the first of the places that is so much of the radii apart from atoms; None for none."""
    limits = apart * (own[:, None] + radii)
    for first in range(0, len(tried), _AT_ONCE):
        some = tried[first : first + _AT_ONCE]
        good = np.arange(len(some))
        if len(frac):
            distances = lattice.get_all_distances(some.reshape(-1, 3), frac).reshape(*some.shape[:2], -1)
            good = np.flatnonzero((distances >= limits).all((1, 2)))
        for k in good:
            if _apart_from_images(some[k], own, lattice, apart):
                return np.asarray(some[k])
    return None


def _apart_from_images(atoms: np.ndarray, own: np.ndarray, lattice: Lattice, apart: float) -> bool:
    """Return whether a molecule is so much of the radii apart from its own images."""
    if len(atoms) == 1:
        return True
    within = np.linalg.norm((atoms[:, None] - atoms) @ lattice.matrix, axis=-1)
    nearest = lattice.get_all_distances(atoms, atoms)
    return bool(((nearest > within - _ROUNDING) | (nearest >= apart * (own[:, None] + own))).all())
