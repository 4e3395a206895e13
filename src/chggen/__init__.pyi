from .api import (
    analyze,
    electrode,
    generate,
    import_dft,
    inpaint,
    interface,
    match,
    open,
    order,
    order_answer,
    predict,
    relax,
    view,
)
from .campaign import OrderAnswer
from .errors import InputError
from .results import Candidate, Candidates, answer
from .score import load_score_model
from .stability import Electrode, References, hull

__version__: str

__all__ = [
    "Candidate",
    "Candidates",
    "Electrode",
    "InputError",
    "OrderAnswer",
    "References",
    "analyze",
    "answer",
    "electrode",
    "generate",
    "hull",
    "import_dft",
    "inpaint",
    "interface",
    "load_score_model",
    "match",
    "open",
    "order",
    "order_answer",
    "predict",
    "relax",
    "view",
]
