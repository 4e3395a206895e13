"""Checks of the guests of an inpaint run: their density, their regions, and what does not go with molecules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from chggen.campaign.structure_options import InpaintOptions
from chggen.errors import InputError
from chggen.generation import AUTO, AnywhereGuests, OrbitGuests, PatternGuests
from chggen.io import DENSEST, MAX_ATOMS
from chggen.regions import Region

if TYPE_CHECKING:
    from pymatgen.core import Structure

_IN_REGIONS: Final = (PatternGuests.name, OrbitGuests.name, AnywhereGuests.name)


def check_density(framework: Structure, guests: Mapping[str, int]) -> None:
    """Check that atoms have as much room as in a crystal.

    Args:
        framework: The host, without what was taken out.
        guests: Element symbol to number of atoms.

    Raises:
        InputError: They have not.
    """
    whole = len(framework) + sum(guests.values())
    volume = framework.volume / max(whole, 1)
    if 0 < volume < DENSEST and whole <= MAX_ATOMS:  # more atoms than that are refused as such
        raise InputError(
            f"the host with these guests has {volume:.2g} Å³ for each atom; expected at least {DENSEST:g} (diamond: "
            "5.7); ask for fewer guests or a larger supercell"
        )


def check_regions(regions: Mapping[str, Region] | None, guests: Mapping[str, int], options: InpaintOptions) -> None:
    """Check that regions go with the guests and with other options.

    Args:
        regions: Element symbol, or name of a molecule, to region; None for none.
        guests: The same to number of guests.
        options: Options of the run.

    Raises:
        InputError: They do not.
    """
    if not regions:
        return
    for symbol in regions:
        if symbol and symbol not in guests:
            raise InputError(f"--region is for {symbol}, of which there are no guests; expected {', '.join(guests)}")
    if options.symmetry == "host":
        raise InputError("symmetry host holds guests on orbits of all of the host, not in a region; leave one of them")
    if options.guests_from not in (AUTO, *_IN_REGIONS):
        raise InputError(
            f"guests from {options.guests_from} are those of all of the host, not of a region; expected {AUTO} or "
            f"{' or '.join(_IN_REGIONS)}, or no region"
        )


def check_molecules(molecules: Sequence[str], options: InpaintOptions) -> None:
    """Check that molecules go with other options.

    Args:
        molecules: Names of the guests that are molecules.
        options: Options of the run.

    Raises:
        InputError: They do not.
    """
    if not molecules:
        return
    if options.symmetry == "host":
        raise InputError(f"symmetry host holds guests on orbits, and {molecules[0]} is placed whole; leave one of them")
    if options.guests_from not in (AUTO, AnywhereGuests.name):
        raise InputError(
            f"guests from {options.guests_from} are atoms, and {molecules[0]} is placed whole, anywhere in its region; "
            f"expected {AUTO} or {AnywhereGuests.name}"
        )
    if options.host_sigma:
        raise InputError(
            f"--host-sigma has no effect beside {molecules[0]}, which is placed whole; leave one of them out"
        )
    if options.sampler.anchor != "clamp":
        raise InputError(f"anchor {options.sampler.anchor} has no effect on {molecules[0]}, which is placed whole")
