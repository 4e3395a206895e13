from .level import Level
from .protocol import GPA, EnergyForcesStress, Potential, energies_of
from .registry import (
    DEFAULT,
    DEFAULT_LEVEL,
    RegisteredPotential,
    level_named,
    level_of,
    levels,
    load_potential,
    potential_of,
    potentials,
    refining_levels,
    refining_potential,
)

__all__ = [
    "DEFAULT",
    "DEFAULT_LEVEL",
    "GPA",
    "EnergyForcesStress",
    "Level",
    "Potential",
    "RegisteredPotential",
    "energies_of",
    "level_named",
    "level_of",
    "levels",
    "load_potential",
    "potential_of",
    "potentials",
    "refining_levels",
    "refining_potential",
]
