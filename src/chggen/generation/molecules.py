"""Molecules as guests: placed whole in the host, of many random placements the one of the lowest energy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from chggen.crystals import GUEST, from_structures, molecule_of
from chggen.errors import InputError
from chggen.generation.host import Host
from chggen.generation.host_starts import GivenHost
from chggen.generation.start import CellDrawer
from chggen.potential import Potential, energies_of
from chggen.regions import drawn_apart
from chggen.symmetry import Orbits

if TYPE_CHECKING:
    from pymatgen.core import Structure

_PLACEMENTS: Final = 32  # of which the lowest is taken
_ATOMS_TOGETHER: Final = 2000  # in one batch of energies


@dataclass(frozen=True)
class PlacedMolecules(GivenHost):
    """A host with molecules in it, each as it is when it is alone; atoms that are asked for beside them come along.

    No network samples them: it knows crystals, and would take molecules apart.

    Attributes:
        guests: Element symbol, or name of a molecule, to number of guests. The host counts the same by elements.
    """

    guests: Mapping[str, int] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """Name of the source."""
        return "molecules"

    def draw(self, seed: int, cell_drawer: CellDrawer | None = None) -> tuple[Host, Orbits | None]:
        """Refuse to be sampled, since molecules are placed whole.

        Args:
            seed: Random seed of the try.
            cell_drawer: What draws cells.

        Raises:
            InputError: Always.
        """
        raise InputError("molecules are placed whole; expected guests that are sampled, so name elements")

    def placed(self, seed: int, potential: Potential | None) -> Structure:
        """Return the host with its guests placed at random: of many placements the one of the lowest energy.

        Args:
            seed: Random seed.
            potential: What gives the energies, as the guests are placed; None takes the first placement.

        Raises:
            InputError: The regions have no room for the guests.
        """
        rng = np.random.default_rng(seed)
        tried = [self._drawn(rng) for _ in range(1 if potential is None else _PLACEMENTS)]
        if potential is None:
            return tried[0]
        together = max(1, _ATOMS_TOGETHER // len(tried[0]))
        parts = [tried[k : k + together] for k in range(0, len(tried), together)]
        energies = torch.cat([energies_of(potential, from_structures(part)).energy for part in parts])
        return tried[int(energies.nan_to_num(nan=torch.inf).argmin())]

    def _drawn(self, rng: np.random.Generator) -> Structure:
        """Return the host with its guests placed at random."""
        from pymatgen.core import Structure

        frame = self.host.framework
        places = drawn_apart(frame, self.guests, self.host.regions or {}, rng)
        symbols = [s for name, count in self.guests.items() for s in count * molecule_of(name).symbols]
        return Structure(
            frame.lattice,
            [*(site.specie.symbol for site in frame), *symbols],
            np.concatenate([frame.frac_coords, places]) % 1.0,
            site_properties={GUEST: [False] * len(frame) + [True] * len(symbols)},
        )
