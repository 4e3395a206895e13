"""Level: a level of theory, within which energies may be compared."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Level:
    """A level of theory: a name under which energies are comparable, and what people should know about it.

    Energies are compared within one level only, and two potentials never share one. Levels are registered by the
    potentials that give their energies (`RegisteredPotential`).

    Attributes:
        name: The level's name in reference tables, options and `summary.csv`, such as `pbe`.
        label: What tables and pages call it, such as `PBE (CHGNet)`.
        error: Typical error of a decomposition energy at this level, eV/atom; None where nobody has measured it.
        caveat: One sentence about the level's errors that stands beside decomposition energies; may be empty.
    """

    name: str
    label: str
    error: float | None = None
    caveat: str = ""


def own_level(name: str) -> Level:
    """Return the level of a potential that is not registered: a level of its own, named like the potential.

    Args:
        name: How the potential was asked for, such as `ase:ase.calculators.emt:EMT`.

    Returns:
        A level that no other potential shares, so that its energies are never placed among those of another.
    """
    return Level(name=name, label=name)
