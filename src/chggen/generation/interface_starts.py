"""What the candidates of an interface start from: one crystal shifted along the other, and guests in the gap."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from chggen.generation.finished_structures import FinishedStructure
from chggen.generation.host import Host
from chggen.generation.host_starts import GivenHost
from chggen.generation.interface_cells import InterfaceCell
from chggen.generation.start import CellDrawer, Start
from chggen.symmetry import Orbits

SOURCE: Final = "shift"
"""Source of candidates of an interface whose second crystal was shifted in the plane."""


@dataclass(frozen=True)
class ShiftedInterface(GivenHost):
    """An interface with guests in its gap, whose second crystal each try shifts in the plane.

    Attributes:
        cell: The interface before it is shifted.
        shifts: Whether the second crystal is shifted.
    """

    cell: InterfaceCell | None = None
    shifts: bool = True

    @property
    def source(self) -> str:
        """Name of the source."""
        return SOURCE

    def draw(self, seed: int, cell_drawer: CellDrawer | None = None) -> tuple[Host, Orbits | None]:
        """Return the shifted interface with guests at places drawn in the gap.

        Args:
            seed: Random seed of the try.
            cell_drawer: Not needed.

        Raises:
            InputError: The gap has no room for the guests.
        """
        assert self.cell is not None
        along = np.random.default_rng([seed, 1]).random(2) if self.shifts else np.zeros(2)
        return replace(self.host, framework=self.cell.shifted(along.tolist())).filled(seed), None

    def redraw(self, k: int) -> ShiftedInterface:
        """Return the interface, which further seeds shift and fill otherwise.

        Args:
            k: Not needed.
        """
        return replace(self, shifts=True)


def interface_start(cell: InterfaceCell, host: Host | None, index: int, seed: int) -> Start:
    """Return what a candidate of an interface starts from; the first of a run is not shifted.

    Args:
        cell: The interface.
        host: The same as a host with guests for the gap; None for no guests.
        index: Number of the candidate.
        seed: Its random seed.
    """
    if host is not None:
        return ShiftedInterface(host, cell=cell, shifts=index > 0)
    along = np.random.default_rng([seed, 1]).random(2) if index else np.zeros(2)
    return FinishedStructure.of(cell.shifted(along.tolist()), SOURCE)
