"""What moves of a host with a region: what is held when candidates are relaxed, what gives way in sampling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from jaxtyping import Bool

from chggen.campaign.structure_options import InpaintOptions
from chggen.errors import InputError
from chggen.io import held_atoms
from chggen.regions import Near, Region, holding

if TYPE_CHECKING:
    from pymatgen.core import Structure

_POINTS: Final = 2000  # of a region, by which atoms near it are told
_GIVES_WAY: Final = 4.0  # Å from a region, within which atoms give way unless move_within says otherwise
_RELAX_ONLY: Final = "has no effect on structures that are not relaxed; leave it out, or leave relaxation on"


def held_in_place(
    whole: Structure, regions: Mapping[str, Region] | None, options: InpaintOptions
) -> Bool[np.ndarray, "atoms"] | None:
    """Return which atoms of a host stay in place when candidates are relaxed.

    Args:
        whole: The host before anything is taken out.
        regions: Element symbol to the region where its guests go; None for anywhere.
        options: Options of the run.

    Returns:
        True for atoms that stay, of shape (atoms,); None for none.

    Raises:
        InputError: Options contradict each other, or name no atoms.
    """
    marked = held_atoms(holding(options.hold, whole)) if options.relax is not None or options.hold else None
    held = np.zeros(len(whole), dtype=bool) if marked is None else marked
    if options.move_within is not None:
        if not regions:
            raise InputError("--move-within counts from a region, and there is none; give --region, or --hold instead")
        held = held | ~_near(whole, regions, options.move_within)
    if not held.any():
        return None
    if options.relax is None:
        raise InputError(f"{'--hold' if options.hold else '--move-within'} {_RELAX_ONLY}")
    return np.asarray(held)


def giving_way(
    whole: Structure, regions: Mapping[str, Region] | None, held: np.ndarray | None, options: InpaintOptions
) -> Bool[np.ndarray, "atoms"] | None:
    """Return which atoms of a host give way while guests are sampled.

    Args:
        whole: The host before anything is taken out.
        regions: Element symbol to the region where its guests go; None for anywhere.
        held: Which atoms stay in place, of shape (atoms,); None for none.
        options: Options of the run.

    Returns:
        True for atoms that give way, of shape (atoms,); None for none.

    Raises:
        InputError: Options contradict each other.
    """
    if not options.host_sigma:
        return None
    if not regions:
        raise InputError("--host-sigma is for atoms near a region, and there is none; give --region, or leave it out")
    if options.sampler.anchor != "clamp":
        raise InputError(f"--host-sigma goes with anchor clamp; got {options.sampler.anchor}, so leave one of them out")
    near = _near(whole, regions, options.move_within or _GIVES_WAY)
    return near if held is None else near & ~held


def _near(whole: Structure, regions: Mapping[str, Region], within: float) -> Bool[np.ndarray, "atoms"]:
    """Return which atoms lie within a distance, Å, of a region."""
    rng = np.random.default_rng(0)
    places = np.concatenate([region.draw(_POINTS, rng) for region in regions.values()])
    frac = whole.lattice.get_fractional_coords(places)
    return np.asarray(Near(whole.lattice, frac, within).contains(whole.cart_coords))


def check_held_elements(elements: Sequence[str], structure: Structure) -> None:
    """Check elements whose atoms are to be held.

    Args:
        elements: Their symbols.
        structure: The structure whose atoms they are, ordered or not.

    Raises:
        InputError: The structure has none of an element.
    """
    present = sorted(element.symbol for element in structure.composition.element_composition)
    for symbol in elements:
        if symbol not in present:
            raise InputError(f"--hold is for elements here; got '{symbol}', expected one of {', '.join(present)}")
