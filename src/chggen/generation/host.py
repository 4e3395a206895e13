"""Hosts: what is held while guests are generated, how guests are taken out, and how many are put in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from jaxtyping import Float

from chggen.crystals import Crystals, batch, from_structures, wrap
from chggen.errors import InputError
from chggen.io import MAX_ATOMS
from chggen.symmetry import OrbitPlan

if TYPE_CHECKING:
    from pymatgen.core import Structure

# Species with the broadest environments first: what `predict` takes out when no guest is named.
MOBILE: Final = ("Li", "Na", "K", "Rb", "Cs", "Ag", "Cu", "Mg", "Zn", "Ca", "Sr", "Ba", "H")
_OVERLAP: Final = 0.5  # Å; closer than any two nuclei in a crystal


@dataclass(frozen=True, kw_only=True)
class Host:
    """A framework (possibly empty of atoms) and the guests to generate in it: element symbol → count.

    Guests already in the framework are kept as host atoms. orbits: where symmetry lets the guests sit; None: anywhere.
    sites: fractional coordinates at which they are thought to be, in the order of `guests`; None: nobody knows.
    """

    framework: Structure
    guests: Mapping[str, int]
    orbits: OrbitPlan | None = None
    sites: Float[np.ndarray, "guests 3"] | None = None

    def __post_init__(self) -> None:
        from pymatgen.core import Element

        if not self.guests:
            raise InputError("no guests asked for; give at least one as ELEMENT=COUNT")
        for symbol, count in self.guests.items():
            if not Element.is_valid_symbol(symbol):
                raise InputError(f"unknown guest element '{symbol}'; expected a chemical symbol such as Li")
            if not isinstance(count, Integral) or count < 1:
                raise InputError(f"guest count of {symbol} must be a positive integer, got {count}")
        n_atoms = len(self.framework) + sum(self.guests.values())
        if n_atoms > MAX_ATOMS:
            raise InputError(f"host and guests are {n_atoms} atoms; expected at most {MAX_ATOMS}, so ask for fewer")
        _check_framework(self.framework)

    def crystals(self) -> Crystals:
        """Host atoms first, then guests in the order given, in float64; guests at their sites or the origin."""
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


def batched_hosts(hosts: Sequence[Host]) -> Crystals:
    """The crystals of several hosts as one batch."""
    return batch([host.crystals() for host in hosts])


def empty_host(lattice: Sequence[Sequence[float]], species: Mapping[str, int]) -> Host:
    """The host of de novo generation: a cell (rows, Å) without atoms, every atom a guest."""
    from pymatgen.core import Structure

    return Host(framework=Structure(lattice, [], []), guests=species)


def strip_guests(structure: Structure, species: Sequence[str]) -> Host:
    """Take all atoms of the given species out of an ordered structure.

    Raises InputError when none is there or nothing else would be left, and for disorder or overlap.
    """
    _check_framework(structure)
    present = Counter(site.specie.symbol for site in structure)  # symbols, whatever the oxidation states
    counts = {s: present[s] for s in species if s in present}
    if not counts:
        raise InputError(f"no {', '.join(species)} in {structure.formula}; name species that it contains")
    if sum(counts.values()) == len(structure):
        raise InputError(f"taking {', '.join(counts)} out of {structure.formula} leaves no host; name fewer guests")
    framework = structure.copy()
    framework.remove_sites([i for i, site in enumerate(structure) if site.specie.symbol in counts])
    return Host(framework=framework, guests=counts)


def default_guests(species: Mapping[str, int]) -> tuple[str, ...]:
    """The most mobile species of a composition, the rest being the host; empty when there is none."""
    if len(species) < 2:
        return ()
    return tuple(s for s in MOBILE if s in species)[:1]


def _check_framework(framework: Structure) -> None:
    disordered = [f"{i + 1} ({site.species_string})" for i, site in enumerate(framework) if not site.is_ordered]
    if disordered:
        raise InputError(
            f"the host has partially occupied sites: {', '.join(disordered[:8])}; expected an ordered structure, "
            "so choose an ordered model of it first"
        )
    if len(framework) > 1:
        distances = framework.distance_matrix + 1e3 * torch.eye(len(framework)).numpy()
        i, j = divmod(int(distances.argmin()), len(framework))
        if distances[i, j] < _OVERLAP:
            raise InputError(
                f"host atoms {i + 1} ({framework[i].species_string}) and {j + 1} ({framework[j].species_string}) lie "
                f"{distances[i, j]:.2f} Å apart; expected at least {_OVERLAP} Å, so remove one of them"
            )
