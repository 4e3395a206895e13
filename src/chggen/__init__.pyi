from .api import electrode, generate, inpaint, interface, match, order, order_answer, predict, relax
from .campaign import OrderAnswer
from .errors import InputError
from .results import Candidate
from .score import load_score_model
from .stability import Electrode, References, hull

__version__: str

__all__ = [
    "Candidate",
    "Electrode",
    "InputError",
    "OrderAnswer",
    "References",
    "electrode",
    "generate",
    "hull",
    "inpaint",
    "interface",
    "load_score_model",
    "match",
    "order",
    "order_answer",
    "predict",
    "relax",
]
