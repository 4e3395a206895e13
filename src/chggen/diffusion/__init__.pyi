from .noise import matching_loss, without_translation, wrapped_normal_score
from .schedule import Schedule, sigma_max
from .score_model import AtomOrbits, Noise, Score, ScoreModel, UsesOrbits
from .strain import SPREAD, aligned, isotropic_metric, kept, shape_noise, strained, traceless

__all__ = [
    "SPREAD",
    "AtomOrbits",
    "Noise",
    "Schedule",
    "Score",
    "ScoreModel",
    "UsesOrbits",
    "aligned",
    "isotropic_metric",
    "kept",
    "matching_loss",
    "shape_noise",
    "sigma_max",
    "strained",
    "traceless",
    "without_translation",
    "wrapped_normal_score",
]
