from .built_in import DEFAULT, DEFAULT_LEVEL
from .dispersed import dispersed_name
from .given import PotentialLike, as_potential, name_of_potential
from .given_objects import OBJECT
from .level import Level
from .protocol import GPA, EnergyForcesStress, Potential, UsesSymmetry, energies_of, evaluate
from .registered_potential import RegisteredPotential
from .registry import (
    default_levels,
    digest_of_potential,
    level_named,
    level_of,
    levels,
    load_potential,
    potential_of,
    potentials,
    refining_levels,
    refining_potential,
    registered,
)

__all__ = [
    "DEFAULT",
    "DEFAULT_LEVEL",
    "GPA",
    "OBJECT",
    "EnergyForcesStress",
    "Level",
    "Potential",
    "PotentialLike",
    "RegisteredPotential",
    "UsesSymmetry",
    "as_potential",
    "default_levels",
    "digest_of_potential",
    "dispersed_name",
    "energies_of",
    "evaluate",
    "level_named",
    "level_of",
    "levels",
    "load_potential",
    "name_of_potential",
    "potential_of",
    "potentials",
    "refining_levels",
    "refining_potential",
    "registered",
]
