"""Hosts: the atoms and the lattice that are held fixed, and the guests to generate in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from jaxtyping import Float

from chggen.crystals import SYMBOLS, Crystals, collate, from_structures, is_molecule, wrap
from chggen.errors import InputError
from chggen.io import MAX_ATOMS, ORDER_FIRST_OR_HERE
from chggen.regions import Region, drawn_apart, region_for
from chggen.sampling import NO_WALLS, RegionWalls, Walls
from chggen.symmetry import OrbitPlan

if TYPE_CHECKING:
    from pymatgen.core import Structure

# The species that `predict` takes out when no guest is named, those with the most varied environments first.
MOBILE: Final = ("Li", "Na", "K", "Rb", "Cs", "Ag", "Cu", "Mg", "Zn", "Ca", "Sr", "Ba", "H")
_OVERLAP: Final = 0.5  # Å; no two nuclei of a crystal are closer


@dataclass(frozen=True, kw_only=True)
class Host:
    """A framework and the guests to generate in it.

    Atoms of the framework that are of a guest's element are kept as host atoms.

    Attributes:
        framework: Structure whose atoms and lattice are held fixed. It has no atoms in de novo generation.
        guests: Element symbol to number of guests.
        orbits: Plan of the orbits that the guests sit on. None lets them sit anywhere.
        sites: Fractional coordinates near which the guests are expected, of shape (guests, 3), in the order of
            `guests`. None where nothing is known.
        regions: Where guests stay: element symbol to region; an empty symbol stands for all elements without one of
            their own. None lets them go anywhere.
        caps: Largest noise level of each atom, Å, of shape (host and guests,): small for an atom that is sampled around
            its place, infinite for a guest that may be anywhere and for a host atom that stays. None for no small ones.

    Raises:
        InputError: There are no guests, an element or a count is not valid, there are too many atoms, or the framework
            is disordered or has overlapping atoms.
    """

    framework: Structure
    guests: Mapping[str, int]
    orbits: OrbitPlan | None = None
    sites: Float[np.ndarray, "guests 3"] | None = None
    regions: Mapping[str, Region] | None = None
    caps: Float[np.ndarray, "atoms"] | None = None

    def __post_init__(self) -> None:
        if not self.guests:
            raise InputError("no guests asked for; give at least one as ELEMENT=COUNT")
        check_guests(self.guests)
        n_atoms = len(self.framework) + sum(self.guests.values())
        if n_atoms > MAX_ATOMS:
            raise InputError(f"host and guests are {n_atoms} atoms; expected at most {MAX_ATOMS}, so ask for fewer")
        _check_framework(self.framework)

    def filled(self, seed: int) -> Host:
        """Return the host with its guests at places drawn in their regions; itself where there are none.

        Args:
            seed: Random seed.

        Raises:
            InputError: The regions have no room for the guests.
        """
        if not self.regions:
            return self
        rng = np.random.default_rng(seed)
        return replace(self, sites=drawn_apart(self.framework, self.guests, self.regions, rng))

    def crystals(self) -> Crystals:
        """Return the host with its guests as tensors, in float64.

        Returns:
            One crystal. Host atoms come first, then the guests in the order of `guests`. Guests stand at their sites,
            or at the origin where these are not known.
        """
        from pymatgen.core import Element

        numbers = torch.tensor([Element(s).Z for s, n in self.guests.items() for _ in range(n)])
        lattice = torch.tensor(self.framework.lattice.matrix.copy(), dtype=torch.float64)[None]
        known = np.zeros((len(numbers), 3)) if self.sites is None else self.sites
        sites = wrap(torch.tensor(known, dtype=torch.float64))
        guests = Crystals(
            frac_coords=sites,
            lattice=lattice,
            atomic_numbers=numbers,
            crystal_index=torch.zeros_like(numbers),
            guest=torch.ones_like(numbers, dtype=torch.bool),
        )
        if not len(self.framework):
            return guests
        held = from_structures([self.framework])
        return Crystals(
            frac_coords=torch.cat([held.frac_coords, guests.frac_coords]),
            lattice=lattice,
            atomic_numbers=torch.cat([held.atomic_numbers, numbers]),
            crystal_index=torch.zeros(len(held.atomic_numbers) + len(numbers), dtype=torch.long),
            guest=torch.cat([torch.zeros_like(held.guest), guests.guest]),
        )


def check_guests(guests: Mapping[str, int]) -> None:
    """Check that guests are elements with counts.

    Args:
        guests: Element symbol to number of guests.

    Raises:
        InputError: A name is not that of an element, or a count is not a whole number from 1.
    """
    for symbol, count in guests.items():
        if symbol in ("D", "T"):
            raise InputError(f"guest '{symbol}' is hydrogen to every potential; give it as H")
        if is_molecule(symbol):
            raise InputError(f"guest '{symbol}' is a molecule, which only inpaint takes; expected an element here")
        if symbol not in SYMBOLS:
            raise InputError(f"unknown guest element '{symbol}'; expected a chemical symbol such as Li")
        if not isinstance(count, Integral) or count < 1:
            raise InputError(f"guest count of {symbol} must be a positive integer, got {count}")


def batched_hosts(hosts: Sequence[Host]) -> Crystals:
    """Return several hosts with their guests as one batch.

    Args:
        hosts: One or more hosts.

    Returns:
        The batch, one crystal for each host, as `Host.crystals` gives it.
    """
    return collate([host.crystals() for host in hosts])


def walls_of(hosts: Sequence[Host], crystals: Crystals) -> Walls:
    """Return what keeps the guests of hosts in their regions.

    Args:
        hosts: The hosts, whose guests stand at places in their regions.
        crystals: The same hosts as one batch.
    """
    if not any(host.regions for host in hosts):
        return NO_WALLS
    ends = torch.cumsum(crystals.n_atoms, 0).tolist()
    parts = []
    for host, end in zip(hosts, ends, strict=True):
        first = end - sum(host.guests.values())
        for symbol, count in host.guests.items():
            region = region_for(host.regions, symbol)
            if region is not None:
                parts.append((region, np.arange(first, first + count)))
            first += count
    return RegionWalls(crystals.frac_coords, parts)


def caps_of(hosts: Sequence[Host], crystals: Crystals) -> Float[torch.Tensor, "atoms"] | None:
    """Return the largest noise level of each atom of hosts, Å, of shape (atoms,); None where no atom has one.

    Args:
        hosts: The hosts.
        crystals: The same hosts as one batch.
    """
    if all(host.caps is None or np.isinf(host.caps).all() for host in hosts):
        return None
    parts = [
        np.full(n, np.inf) if host.caps is None else host.caps
        for host, n in zip(hosts, crystals.n_atoms.tolist(), strict=True)
    ]
    return torch.from_numpy(np.concatenate(parts)).to(crystals.lattice)


def empty_host(lattice: Sequence[Sequence[float]], species: Mapping[str, int]) -> Host:
    """Return the host of de novo generation: a cell without atoms, in which every atom is a guest.

    Args:
        lattice: Lattice vectors as rows, of shape (3, 3), in Å.
        species: Element symbol to number of atoms.

    Returns:
        The host.

    Raises:
        InputError: There are no species, an element or a count is not valid, or there are too many atoms.
    """
    from pymatgen.core import Structure

    return Host(framework=Structure(lattice, [], []), guests=species)


def strip_guests(structure: Structure, species: Sequence[str]) -> Host:
    """Take all atoms of some species out of a structure, to generate them anew.

    Args:
        structure: An ordered structure. It is not changed.
        species: Symbols of the elements to take out. Those that the structure does not contain are passed over.

    Returns:
        A host whose framework is the rest of the structure, and whose guests are what was taken out.

    Raises:
        InputError: The structure contains none of the species or nothing else, is disordered, or has overlapping atoms.
    """
    _check_framework(structure)
    present = Counter(site.specie.symbol for site in structure)  # without oxidation states
    counts = {s: present[s] for s in species if s in present}
    if not counts:
        raise InputError(f"no {', '.join(species)} in {structure.formula}; name species that it contains")
    if sum(counts.values()) == len(structure):
        raise InputError(f"taking {', '.join(counts)} out of {structure.formula} leaves no host; name fewer guests")
    framework = structure.copy()
    framework.remove_sites([i for i, site in enumerate(structure) if site.specie.symbol in counts])
    return Host(framework=framework, guests=counts)


def default_guests(species: Mapping[str, int]) -> tuple[str, ...]:
    """Return the species of a composition that are taken as guests if none are named.

    Args:
        species: Element symbol to count.

    Returns:
        The first element of `MOBILE` that the composition contains, as a tuple of one. An empty tuple if it contains
        none, or has one element only.
    """
    if len(species) < 2:
        return ()
    return tuple(s for s in MOBILE if s in species)[:1]


def _check_framework(framework: Structure) -> None:
    """Raise InputError for partially occupied sites and for overlapping atoms."""
    disordered = [f"{i + 1} ({site.species_string})" for i, site in enumerate(framework) if not site.is_ordered]
    if disordered:
        raise InputError(
            f"the host has partially occupied sites: {', '.join(disordered[:8])}; expected an ordered structure, "
            f"so {ORDER_FIRST_OR_HERE}"
        )
    if len(framework) > 1:
        distances = framework.distance_matrix + 1e3 * torch.eye(len(framework)).numpy()
        i, j = divmod(int(distances.argmin()), len(framework))
        if distances[i, j] < _OVERLAP:
            raise InputError(
                f"host atoms {i + 1} ({framework[i].species_string}) and {j + 1} ({framework[j].species_string}) lie "
                f"{distances[i, j]:.2f} Å apart; expected at least {_OVERLAP} Å, so remove one of them"
            )
