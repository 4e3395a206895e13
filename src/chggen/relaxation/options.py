"""Options of a relaxation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chggen.settings import Options


class RelaxOptions(Options):
    """Relaxation with a potential; fmax in eV/Å, pressure in GPa; fix_symmetry: symprec of the group to keep, Å."""

    potential: str = "chgnet"
    fmax: float = Field(default=0.1, gt=0)
    max_steps: int = Field(default=500, ge=1)
    fix_cell: bool = False
    fix_symmetry: float | None = Field(default=None, gt=0)
    pressure: float = 0.0
    optimizer: Literal["fire-lbfgs", "lbfgs", "fire"] = "fire-lbfgs"
