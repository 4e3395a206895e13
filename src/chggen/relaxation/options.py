"""Options of a relaxation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chggen.potential import DEFAULT
from chggen.settings import Options


class RelaxOptions(Options):
    """Options of a relaxation, as commands and runs take them. `relax` explains each in full."""

    potential: str = Field(
        default=DEFAULT,
        description="Potential: a registered name such as chgnet or chgnet-r2scan, ase:module:factory for an ASE "
        "calculator, or torch-sim:module:factory.",
    )
    fmax: float = Field(default=0.1, gt=0, description="Largest force of a relaxed structure, eV/Å.")
    max_steps: int = Field(default=500, ge=1, description="Most steps that a structure may take.")
    fix_cell: bool = Field(default=False, description="Keep the cell; relax the positions only.")
    fix_symmetry: float | None = Field(
        default=None, gt=0, description="Find the space group at this symprec, Å, and keep it; default: keep none."
    )
    pressure: float = Field(default=0.0, description="External pressure, GPa.")
    optimizer: Literal["fire-lbfgs", "lbfgs", "fire"] = Field(
        default="fire-lbfgs", description="FIRE, L-BFGS, or the first and then the second."
    )
