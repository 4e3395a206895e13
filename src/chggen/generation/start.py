"""Start, the protocol of everything that the tries of a candidate may start from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from chggen.errors import InputError
from chggen.generation.host import Host
from chggen.symmetry import Orbits


@runtime_checkable
class CellDrawer(Protocol):
    """Draws a cell (rows, Å) of a volume, Å³, for species: a score model that knows lattices.

    rotations: of a space group in lattice coordinates (columns), to whose Bravais class the cell then belongs.
    """

    def __call__(
        self,
        species: Mapping[str, int],
        volume: float,
        seed: int,
        rotations: Int[np.ndarray, "operations 3 3"] | None = None,
    ) -> Float[np.ndarray, "3 3"]: ...


@runtime_checkable
class Start(Protocol):
    """Where the tries of a candidate begin."""

    @property
    def species(self) -> Mapping[str, int]:
        """Element symbol → count of the filled cell."""
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
        """Whether what is made keeps that symmetry when relaxed."""
        ...

    @property
    def start_sigma(self) -> float | None:
        """By how much (Å) guests whose sites are roughly known are perturbed; None: they start anywhere."""
        ...

    @property
    def prototype_log_odds(self) -> float | None:
        """Log-odds that the crystal is of this kind, where it is a known one; None: not known."""
        ...

    def draw(self, seed: int, shapes: CellDrawer | None = None) -> tuple[Host, Orbits | None]:
        """The host of one try, and the orbits of all its atoms where it is on any; shapes: for those that ask."""
        ...

    def redraw(self, k: int) -> Start:
        """What the k-th further draw of a candidate starts from."""
        ...


def required(shapes: CellDrawer | None) -> CellDrawer:
    """Raises InputError where the score model draws none."""
    if shapes is None:
        raise InputError("the score model has no strain score, which seeds joint expect; use other seeds, or train one")
    return shapes
