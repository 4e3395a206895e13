from .options import RelaxOptions
from .relaxer import relax
from .result import Relaxed, displacement
from .trajectory import write_trajectory

__all__ = [
    "RelaxOptions",
    "Relaxed",
    "displacement",
    "relax",
    "write_trajectory",
]
