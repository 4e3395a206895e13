"""Potentials with dispersion as registered ones: `chgnet+d3` at level `pbe+d3`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from chggen.potential.level import Level
from chggen.potential.registered_potential import RegisteredPotential

if TYPE_CHECKING:
    from chggen.potential.protocol import Potential

SUFFIX: Final = "+d3"
"""What the names of potentials with dispersion end in, and those of their levels."""


def dispersed_name(name: str) -> str:
    """Return the name of a potential with dispersion; one that has it in its name already stays as it is.

    Args:
        name: Name of a potential.
    """
    return name if name.endswith(SUFFIX) else f"{name}{SUFFIX}"


def dispersed_level(level: Level) -> Level:
    """Return the level of a potential with dispersion, by that of the potential alone.

    Args:
        level: The level without dispersion.
    """
    return Level(name=f"{level.name}{SUFFIX}", label=f"{level.label} with D3", caveat=level.caveat)


def with_dispersion(base: RegisteredPotential) -> RegisteredPotential:
    """Return a registered potential with D3 dispersion: a potential of its own, at a level of its own.

    Args:
        base: The potential without dispersion, of a known functional.
    """

    def load(device: str) -> Potential:
        from chggen.potential.dispersion import DispersedPotential

        return DispersedPotential(base.load(device), base.functional or "")

    return replace(
        base,
        name=f"{base.name}{SUFFIX}",
        level=dispersed_level(base.level),
        load=load,
        refined_by=None if base.refined_by is None else f"{base.refined_by}{SUFFIX}",
        needs={**base.needs, "dftd3": "d3"},
        functional=None,
    )
