"""Options of a relaxation."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from chggen.potential import DEFAULT, dispersed_name
from chggen.settings import Options


class RelaxOptions(Options):
    """Options of a relaxation, as commands and runs take them. `relax` explains each in full."""

    potential: str = Field(
        default=DEFAULT,
        description="Potential: a registered name such as chgnet or chgnet-r2scan, ase:module:factory for an ASE "
        "calculator, or torch-sim:module:factory.",
    )
    dispersion: Literal["d3"] | None = Field(
        default=None,
        description="Add the attraction that PBE and r²SCAN lack, for layers and molecules: d3; default: none. It is "
        "added to judges, too; NAME+d3 for a potential is the same.",
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
    free_axis: Literal["x", "y", "z"] | None = Field(
        default=None,
        description="Of the cell, let only its height along this normal change, as for an interface: x, y or z; "
        "default: all of it.",
    )

    @model_validator(mode="before")
    @classmethod
    def _one_name_of_dispersion(cls, given: Any) -> Any:
        """Have a potential with dispersion named as one, and the option say so, whichever of the two was given."""
        if isinstance(given, dict) and isinstance(name := given.get("potential", DEFAULT), str):
            if given.get("dispersion") == "d3":
                return given | {"potential": dispersed_name(name)}
            if given.get("dispersion") is None and name == dispersed_name(name):
                return given | {"dispersion": "d3"}
        return given

    @field_validator("free_axis")
    @classmethod
    def _one_kind_of_cell(cls, axis: str | None, info: Any) -> str | None:
        if axis is not None and info.data.get("fix_cell"):
            raise ValueError("expected none with fix_cell, which keeps all of the cell; leave one of them out")
        if axis is not None and info.data.get("fix_symmetry") is not None:
            raise ValueError("expected none with fix_symmetry, which one height may break; leave one of them out")
        return axis

    @property
    def holds_cell(self) -> bool:
        """Whether the cell, or part of it, stays as it is."""
        return self.fix_cell or self.free_axis is not None
