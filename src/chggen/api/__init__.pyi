from .from_composition import generate, predict
from .from_crystals import interface
from .from_structure import electrode, inpaint, order, order_answer
from .matching import match
from .relaxing import relax

__all__ = ["electrode", "generate", "inpaint", "interface", "match", "order", "order_answer", "predict", "relax"]
