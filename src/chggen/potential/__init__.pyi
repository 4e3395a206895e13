from .level import Level
from .protocol import GPA, EnergyForcesStress, Potential, energies_of, evaluate
from .registry import (
    DEFAULT,
    DEFAULT_LEVEL,
    RegisteredPotential,
    digest_of_potential,
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
    "digest_of_potential",
    "energies_of",
    "evaluate",
    "level_named",
    "level_of",
    "levels",
    "load_potential",
    "potential_of",
    "potentials",
    "refining_levels",
    "refining_potential",
]
