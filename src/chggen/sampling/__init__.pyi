from .anchor import Renoise
from .cell_shape import ShapeSampler
from .corrector import Langevin
from .orbit_noise import NO_SYMMETRY, OrbitSymmetry, Symmetry
from .predictors import Ancestral, Heun, Multistep, ProbabilityFlow, Refresh
from .recipes import DE_NOVO, QUALITIES, Begin, Recipe, RecipeSettings, known_recipes, recipe
from .resampling import Walk
from .selection import ONE, BestOf, Criterion, DenoisingError
from .settling import Settling
from .side_by_side import together
from .walls import NO_WALLS, RegionWalls, Walls

__all__ = [
    "DE_NOVO",
    "NO_SYMMETRY",
    "NO_WALLS",
    "ONE",
    "QUALITIES",
    "Ancestral",
    "Begin",
    "BestOf",
    "Criterion",
    "DenoisingError",
    "Heun",
    "Langevin",
    "Multistep",
    "OrbitSymmetry",
    "ProbabilityFlow",
    "Recipe",
    "RecipeSettings",
    "Refresh",
    "RegionWalls",
    "Renoise",
    "Settling",
    "ShapeSampler",
    "Symmetry",
    "Walk",
    "Walls",
    "known_recipes",
    "recipe",
    "together",
]
