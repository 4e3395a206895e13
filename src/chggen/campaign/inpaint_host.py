"""The host of an inpaint run as it is asked for: repeated, atoms taken out, regions for guests, atoms held in place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
from jaxtyping import Bool

from chggen.campaign.guest_checks import check_density, check_molecules, check_regions
from chggen.campaign.moving_atoms import giving_way, held_in_place
from chggen.campaign.options import RunOptions
from chggen.campaign.structure_options import InpaintOptions
from chggen.crystals import atoms_of_guests, cells_in, is_molecule, parse_formula, supercell_matrix
from chggen.errors import InputError
from chggen.generation import PrototypeGuests, formula_units_that_fit
from chggen.io import MAX_ATOMS, say, with_held_atoms
from chggen.regions import Region, atoms_of, drawn_apart, region_of, regions_of, vacuum_gap

if TYPE_CHECKING:
    from pymatgen.core import Structure

_Options = TypeVar("_Options", bound=RunOptions)
_SLAB_REGION: Final = "not vacuum"


@dataclass(frozen=True, kw_only=True)
class InpaintHost:
    """A host as it is asked for.

    Attributes:
        framework: The host, repeated, without the atoms that were taken out.
        guests: Element symbol, or name of a molecule, to number of guests.
        regions: The same to the region where its guests go, as `Host.regions`; None for anywhere.
        held: Which atoms of the framework stay in place when candidates are relaxed, of shape (atoms,); None for none.
        giving: Which atoms of the framework give way while guests are sampled, of shape (atoms,); None for none.
        given: What candidates are compared with: the host, repeated, before anything was taken out, or the slabs of an
            interface, with the marks of the same held atoms.
        taken: Element symbol to number of atoms that were taken out.
    """

    framework: Structure
    guests: Mapping[str, int]
    regions: Mapping[str, Region] | None
    held: Bool[np.ndarray, "atoms"] | None
    giving: Bool[np.ndarray, "atoms"] | None = None
    given: tuple[Structure, ...]
    taken: Mapping[str, int]

    @property
    def atoms(self) -> dict[str, int]:
        """Element symbol to number of atoms that all guests have together."""
        return atoms_of_guests(self.guests)

    @property
    def molecules(self) -> list[str]:
        """Names of the guests that are molecules."""
        return [name for name in self.guests if is_molecule(name)]

    @property
    def compared(self) -> bool:
        """Whether candidates, when relaxed, are compared with what was given: such as have guests in regions."""
        return self.regions is not None or bool(self.molecules)

    @property
    def exchanged(self) -> dict[str, int]:
        """Element symbol, or name of a molecule, to number put in, less those taken out."""
        return {s: self.guests.get(s, 0) - self.taken.get(s, 0) for s in dict.fromkeys([*self.guests, *self.taken])}

    @classmethod
    def of(
        cls, host: Structure, options: InpaintOptions, objects: Mapping[str, Region] = MappingProxyType({})
    ) -> InpaintHost:
        """Return the host of a run.

        Numbers of atoms, and regions, are those of the host as it is repeated, before anything is taken out.

        Args:
            host: The host as it was given.
            options: Options of the run.
            objects: Regions that are objects, element symbol to region, for which the words of the options stand.

        Raises:
            InputError: The supercell is too large, options contradict each other, nothing is to be put in or nothing
                is left, a text describes no region or no atoms, or a region has no room for the guests.
        """
        if options.symmetry == "host" and options.relax is not None and options.relax.free_axis is not None:
            raise InputError(
                "symmetry host keeps the group of the host, which free_axis may break; leave one of them out"
            )
        if options.sampler.anchor == "paper" and options.guests_from == PrototypeGuests.name:
            raise InputError("anchor paper starts guests anywhere, not on sites of prototypes; use clamp or renoise")
        whole = _repeated(host, options)
        out = atoms_of(options.remove, whole) if options.remove else np.zeros(len(whole), dtype=bool)
        taken = _counts(whole, out)
        framework = whole.copy()
        framework.remove_sites(np.flatnonzero(out).tolist())
        regions = _regions(whole, options, objects)
        guests = dict(options.guests) or taken
        if options.fill is not None:
            guests = _filling(options.fill, framework, regions, options)
        if not guests:
            raise InputError("no guests asked for; expected --guest ELEMENT=COUNT, or --remove for atoms to put back")
        if out.all() and len(out):
            raise InputError(f"--remove takes all {len(out)} atoms out; expected some to be left, so name fewer")
        held = held_in_place(whole, regions, options)
        giving = giving_way(whole, regions, held, options)
        asked = cls(
            framework=framework,
            guests=guests,
            regions=regions,
            held=None if held is None else held[~out],
            giving=None if giving is None else giving[~out],
            given=(whole if held is None else with_held_atoms(whole, held),),
            taken=taken,
        )
        check_density(framework, asked.atoms)
        check_molecules(asked.molecules, options)
        check_regions(regions, guests, options)
        if options.mu and (not asked.compared or options.relax is None):
            raise InputError(
                "--mu is for the energies of guests in a region or on a slab, relaxed; leave it out or give --region"
            )
        if asked.compared:
            drawn_apart(framework, guests, regions or {}, np.random.default_rng([options.seed]))  # refused here
        return asked


def with_cell_of_slab(options: _Options, host: Structure) -> _Options:
    """Return options by which a slab keeps its cell, since nothing holds its vacuum open; what is done is said.

    Args:
        options: Options of the run.
        host: The host as it was given.
    """
    gap = vacuum_gap(host)
    if gap is None or options.relax is None or options.relax.holds_cell:
        return options
    axis = ("first", "second", "third")[gap.axis]
    say([f"the host is a slab, with {gap.thickness:.1f} Å of vacuum along its {axis} axis: its cell is kept"])
    return options.model_copy(update={"relax": options.relax.model_copy(update={"fix_cell": True})})


def _repeated(host: Structure, options: InpaintOptions) -> Structure:
    """Return the host repeated to the supercell. Raises InputError for one that is too large."""
    whole = host.copy()
    n_atoms = len(host) * cells_in(options.supercell)
    if n_atoms > MAX_ATOMS:
        raise InputError(f"that supercell has {n_atoms} atoms; expected at most {MAX_ATOMS}, so ask for a smaller one")
    if options.supercell != (1, 1, 1):
        whole.make_supercell(supercell_matrix(options.supercell))
    return whole


def _counts(structure: Structure, chosen: np.ndarray) -> dict[str, int]:
    """Return element symbol to number of the atoms that are chosen."""
    counts: dict[str, int] = {}
    for k in np.flatnonzero(chosen):
        symbol = structure[int(k)].specie.symbol
        counts[symbol] = counts.get(symbol, 0) + 1
    return counts


def _regions(whole: Structure, options: InpaintOptions, objects: Mapping[str, Region]) -> dict[str, Region] | None:
    """Return where guests go: the regions asked for, else where atoms are taken out, else not into the vacuum."""
    if objects:
        words = [text for text in options.region if text.partition(":")[0] not in objects and "" not in objects]
        return {**regions_of(words, whole), **objects}
    if options.region:
        return regions_of(options.region, whole)
    if options.remove:
        try:
            return regions_of(options.remove, whole)
        except InputError:  # atoms by name: what is put in may go anywhere
            return None
    if vacuum_gap(whole) is not None:
        return {"": region_of(_SLAB_REGION, whole)}
    return None


def _filling(
    formula: str, framework: Structure, regions: Mapping[str, Region] | None, options: InpaintOptions
) -> dict[str, int]:
    """Return the guests that fill a region at the density of a composition; how many is said. Raises InputError."""
    species = parse_formula(formula)
    if options.guests:
        raise InputError("--fill counts the guests itself; leave out --guest, or --fill")
    if regions is None or set(regions) != {""}:
        raise InputError("--fill needs one region for all species; give --region, or --remove with a region")
    units = formula_units_that_fit(framework, regions[""], species)
    if not units:
        raise InputError(f"the region has room for less than half of {formula}; ask for a larger region, or for guests")
    guests = {symbol: units * count for symbol, count in species.items()}
    say([f"the region is filled with {units} {formula}: {', '.join(f'{n} {s}' for s, n in guests.items())}"])
    return guests
