from .api import generate, inpaint, predict, relax
from .errors import InputError
from .results import Candidate
from .score import load_score_model
from .stability import References, hull

__version__: str

__all__ = [
    "Candidate",
    "InputError",
    "References",
    "generate",
    "hull",
    "inpaint",
    "load_score_model",
    "predict",
    "relax",
]
