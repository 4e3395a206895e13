"""How many ions a framework can take: by its redox-active elements, by known prototypes, and by the room there is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from chggen.generation.host import Host
from chggen.generation.prototype_mapping import CLOSE, analogues

if TYPE_CHECKING:
    from pymatgen.core import Structure

_LEAST_STATE: Final = 2  # metals of frameworks are hardly ever reduced further
_CONTACT: Final = 0.75  # of the sum of covalent radii, the least distance from a framework atom
_APART: Final = 0.75  # of twice the covalent radius, the least distance between ions
_SPACING: Final = 0.4  # Å, of the points that are looked at for room
_MOST_STATES: Final = 40  # atoms of a formula for which oxidation states are looked for


def redox_room(framework: Structure, ion: str, held: int, valence: int, oxidises: bool) -> float | None:
    """Return how many ions more a framework can take by its oxidation states, for the cell given.

    Cations reduce the metals of the framework, down to their least state of 2 or more. Anions oxidise them up to their
    highest. Oxidation states are pymatgen's best guess for the framework with the ions that it holds.

    Args:
        framework: The framework without ions.
        ion: The working ion.
        held: Number of ions that it holds in this cell.
        valence: Charge of the ion, without a sign.
        oxidises: Whether ions oxidise the framework, as anions do.

    Returns:
        The number, which may be zero. None where no oxidation states balance the framework.
    """
    from pymatgen.core import Composition, Element

    whole = framework.composition.element_composition + Composition({ion: held})
    reduced, factor = whole.get_reduced_composition_and_factor()
    if reduced.num_atoms > _MOST_STATES:
        return None
    guesses = reduced.oxi_state_guesses()
    if not guesses:
        return None
    charge = 0.0
    for symbol, state in guesses[0].items():
        element = Element(symbol)
        if symbol == ion or state <= 0 or (not element.is_transition_metal and not element.is_rare_earth):
            continue
        known = [s for s in (element.icsd_oxidation_states or element.oxidation_states) if s >= _LEAST_STATE]
        limit = max(known, default=state) if oxidises else min(known, default=state)
        charge += max(0.0, (limit - state) if oxidises else (state - limit)) * reduced[symbol] * factor
    return charge / valence


def most_known(framework: Structure, ion: str, most: int) -> int:
    """Return the largest number of ions that known prototypes of such a framework hold; 0 where none is close.

    Args:
        framework: The framework without ions.
        ion: The working ion.
        most: Largest number that is looked at.
    """
    for count in range(most, 0, -1):
        if analogues(Host(framework=framework, guests={ion: count}), CLOSE, 1):
            return count
    return 0


def ions_with_room(framework: Structure, ion: str, most: int) -> int:
    """Return how many ions find room in a framework, one after another where they are farthest from all atoms.

    Room means 0.75 of the sum of covalent radii from framework atoms, and as much between ions. Hosts swell, so this is
    no strict bound, but far more ions than this fit no host.

    Args:
        framework: The framework without ions.
        ion: The working ion.
        most: Number at which counting ends.
    """
    from ase.data import covalent_radii
    from pymatgen.core import Element

    own = covalent_radii[Element(ion).Z]
    lattice = framework.lattice
    steps = [max(2, math.ceil(edge / _SPACING)) for edge in lattice.abc]
    grid = np.stack(np.meshgrid(*(np.arange(n) / n for n in steps), indexing="ij"), axis=-1).reshape(-1, 3)
    limits = np.array([_CONTACT * (own + covalent_radii[site.specie.Z]) for site in framework])
    share = np.full(len(grid), np.inf)
    if len(framework):
        share = (lattice.get_all_distances(grid, framework.frac_coords) / limits).min(axis=1)
    apart = 2 * _APART * own
    for count in range(most):
        best = int(share.argmax())
        if share[best] < 1:
            return count
        share = np.minimum(share, lattice.get_all_distances(grid, grid[best][None])[:, 0] / apart)
    return most
