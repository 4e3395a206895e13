from .anchor import Renoise
from .cell_shape import ShapeSampler
from .corrector import Langevin
from .orbit_noise import NO_SYMMETRY, OrbitSymmetry, Symmetry
from .predictors import Ancestral, Heun, Multistep, ProbabilityFlow, Refresh
from .recipes import QUALITIES, Recipe, recipe
from .resampling import Walk
from .selection import ONE, BestOf, Criterion, DenoisingError

__all__ = [
    "NO_SYMMETRY",
    "ONE",
    "QUALITIES",
    "Ancestral",
    "BestOf",
    "Criterion",
    "DenoisingError",
    "Heun",
    "Langevin",
    "Multistep",
    "OrbitSymmetry",
    "ProbabilityFlow",
    "Recipe",
    "Refresh",
    "Renoise",
    "ShapeSampler",
    "Symmetry",
    "Walk",
    "recipe",
]
