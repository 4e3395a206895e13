"""Sets of VASP inputs as the Materials Project makes them, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pymatgen.core.structure import Structure
from pymatgen.io.vasp.sets import MP24RelaxSet, MPScanRelaxSet, VaspInputSet

from chggen.errors import InputError

FIRST, SECOND = "1-pbesol", "2-r2scan"
"""Folders of the steps. PBEsol geometries are close to r²SCAN ones at a fraction of the cost."""


@dataclass(frozen=True)
class InputSet:
    """Inputs as the Materials Project makes them.

    Attributes:
        name: What `--input-set` calls it.
        generator: pymatgen's class of that set.
        steps: Folder of a step to the arguments of the generator; EDIFFG in eV/Å. WAVECAR starts the second step.
    """

    name: str
    generator: type[VaspInputSet]
    steps: Mapping[str, Mapping[str, Any]]

    def inputs(self, step: str, structure: Structure | None = None) -> VaspInputSet:
        """Return the inputs of a step.

        Args:
            step: Its folder.
            structure: The structure; None for a set that gets one later.
        """
        given: Any = {} if structure is None else {"structure": structure}
        return self.generator(**given, **self.steps[step])


SETS: Final = {
    one.name: one
    for one in (
        InputSet(
            "mp-scan",
            MPScanRelaxSet,
            {
                FIRST: {
                    "user_incar_settings": {
                        "METAGGA": None, "GGA": "PS", "EDIFFG": -0.05, "LWAVE": True, "LCHARG": True,
                    }
                },
                SECOND: {"user_incar_settings": {"METAGGA": "R2SCAN", "EDIFFG": -0.02}},
            },
        ),
        InputSet(
            "mp24",
            MP24RelaxSet,
            {
                FIRST: {"xc_functional": "PBEsol", "user_incar_settings": {"LWAVE": True, "LCHARG": True}},
                SECOND: {"xc_functional": "r2SCAN"},
            },
        ),
    )
}  # fmt: skip
"""Sets of inputs by name: `mp-scan`, whose energies belong to the r²SCAN hull of the Materials Project, comes first."""
DEFAULT_SET: Final = "mp-scan"


def input_set(name: str) -> InputSet:
    """Return a set of inputs by its name.

    Args:
        name: `mp-scan` or `mp24`.

    Raises:
        InputError: There is none of that name.
    """
    if name not in SETS:
        raise InputError(f"unknown input set '{name}'; expected one of {', '.join(SETS)}")
    return SETS[name]
