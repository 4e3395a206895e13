from .api import electrode, generate, inpaint, order, predict, relax
from .errors import InputError
from .results import Candidate
from .score import load_score_model
from .stability import Electrode, References, hull

__version__: str

__all__ = [
    "Candidate",
    "Electrode",
    "InputError",
    "References",
    "electrode",
    "generate",
    "hull",
    "inpaint",
    "load_score_model",
    "order",
    "predict",
    "relax",
]
