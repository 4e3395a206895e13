"""Room for guests: positions in their regions that keep atoms apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
from jaxtyping import Float

from chggen.errors import InputError, counted
from chggen.regions.given import region_for
from chggen.regions.protocol import Region

if TYPE_CHECKING:
    from pymatgen.core import Structure

_APART: Final = (0.7, 0.6, 0.5)  # of the sum of covalent radii, one after the other; true bonds are longer than 0.8
_POINTS: Final = 400  # places that are tried for a guest
_FILLINGS: Final = 2  # attempts with each of these, until there counts as being no room


def drawn_apart(
    host: Structure,
    guests: Mapping[str, int],
    regions: Mapping[str, Region],
    rng: np.random.Generator,
    shifts: Float[np.ndarray, "images 3"] | None = None,
) -> Float[np.ndarray, "guests 3"]:
    """Return places for guests at random in their regions, as far from other atoms as they fit.

    They are at least 0.7 of the sum of covalent radii apart, or down to 0.5 of it in dense crystals, since places that
    are taken one after the other fill no region as well as a crystal does.

    Args:
        host: The host.
        guests: Element symbol to number of guests.
        regions: Element symbol to region; an empty symbol stands for all species without one of their own.
        rng: Random numbers.
        shifts: Fractional translations by which host and regions repeat, no translation first. Each guest that is drawn
            comes with its images, so counts are multiples of their number. None for guests that come alone.

    Returns:
        Fractional coordinates of shape (guests, 3), in the order of the guests, images behind each other.

    Raises:
        InputError: The region has no room for so many guests.
    """
    most, wanted = 0, sum(guests.values())
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
    from ase.data import atomic_numbers, covalent_radii

    lattice = host.lattice
    frac = [site.frac_coords for site in host]
    radii = [covalent_radii[site.specie.Z] for site in host]
    places: list[np.ndarray] = []
    for symbol, count in guests.items():
        region = region_for(regions, symbol)
        own = covalent_radii[atomic_numbers[symbol]]
        for _ in range(count // len(shifts)):
            tried = rng.random((_POINTS, 3)) if region is None else _drawn(region, lattice, rng)
            if frac:
                ratio = lattice.get_all_distances(tried, frac) / (np.array(radii) + own)
                good = np.flatnonzero(ratio.min(1) >= apart)
            else:
                good = np.arange(_POINTS)
            if not len(good):
                return places
            images = list(tried[good[0]] + shifts)
            places += images
            frac += images
            radii += [own] * len(images)
    return places


def _drawn(region: Region, lattice, rng: np.random.Generator) -> np.ndarray:  # type: ignore[no-untyped-def]
    return np.asarray(lattice.get_fractional_coords(region.draw(_POINTS, rng)))
