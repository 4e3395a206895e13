"""Start, the protocol of everything that the tries of a candidate may start from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from chggen.errors import InputError
from chggen.generation.host import Host
from chggen.symmetry import Orbits

if TYPE_CHECKING:
    from pymatgen.core import Structure


@runtime_checkable
class CellDrawer(Protocol):
    """Draws cells for species: a score model that knows the shapes of lattices."""

    def __call__(
        self,
        species: Mapping[str, int],
        volume: float,
        seed: int,
        rotations: Int[np.ndarray, "operations 3 3"] | None = None,
    ) -> Float[np.ndarray, "3 3"]:
        """Return the rows of a drawn cell, Å.

        Args:
            species: Element symbol to number of atoms in the cell.
            volume: Volume of the cell, Å³.
            seed: Random seed of the draw.
            rotations: Rotations of a space group in lattice coordinates (columns); the cell then belongs to the
                Bravais class of that group.
        """
        ...


@runtime_checkable
class Start(Protocol):
    """Where the tries of a candidate begin."""

    @property
    def species(self) -> Mapping[str, int]:
        """Element symbol to number of atoms in the filled cell."""
        ...

    @property
    def source(self) -> str:
        """Name of the source that it comes from."""
        ...

    @property
    def de_novo(self) -> bool:
        """Whether every atom is a guest."""
        ...

    @property
    def on_orbits(self) -> bool:
        """Whether guests start on orbits of a group and are sampled on them."""
        ...

    @property
    def symmetric(self) -> bool:
        """Whether what is made keeps that symmetry when it is relaxed."""
        ...

    @property
    def start_sigma(self) -> float | None:
        """Standard deviation, Å, of the first perturbation of guests whose sites are roughly known.

        None: guests start anywhere.
        """
        ...

    @property
    def prototype_log_odds(self) -> float | None:
        """Log-odds that the crystal is of the prototype that this is; None where it is of no known one."""
        ...

    def draw(self, seed: int, cell_drawer: CellDrawer | None = None) -> tuple[Host, Orbits | None]:
        """Return the host of one try, and the orbits of all its atoms where it is on any.

        Args:
            seed: Random seed of the try.
            cell_drawer: What draws cells, for starts that ask for it; None where the score model draws none.

        Raises:
            InputError: When the species do not fit, or a cell drawer is needed.
        """
        ...

    def redraw(self, k: int) -> Start:
        """Return what a candidate starts from when it is drawn anew.

        Args:
            k: 1 for the first time that the candidate is drawn anew, 2 for the second, and so on.
        """
        ...


@runtime_checkable
class FinishedStart(Start, Protocol):
    """A start that needs no sampling, since its structure is there already."""

    @property
    def finished(self) -> Structure | str:
        """The raw structure, or why it cannot be read."""
        ...


@runtime_checkable
class SettlingStart(Start, Protocol):
    """A start that changes what was sampled from it before anything else is done with it."""

    def settled(self, structure: Structure) -> Structure | str:
        """Return what becomes of a sample, or the reason why nothing does.

        Args:
            structure: The sample.
        """
        ...


def required(cell_drawer: CellDrawer | None) -> CellDrawer:
    """Return the cell drawer.

    Args:
        cell_drawer: What draws cells; None where the score model draws none.

    Raises:
        InputError: When there is none.
    """
    if cell_drawer is None:
        raise InputError(
            "the score model has no strain score, which the source `learned` expects; use other sources, or train one"
        )
    return cell_drawer
