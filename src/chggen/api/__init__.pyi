from .analyzing import analyze
from .from_composition import generate, predict
from .from_crystals import interface
from .from_structure import electrode, inpaint, order, order_answer
from .matching import match
from .progress_bar import shown_progress, terminal_bars
from .reading import import_dft, open, view
from .relaxing import relax

__all__ = [
    "analyze",
    "electrode",
    "generate",
    "import_dft",
    "inpaint",
    "interface",
    "match",
    "open",
    "order",
    "order_answer",
    "predict",
    "relax",
    "shown_progress",
    "terminal_bars",
    "view",
]
