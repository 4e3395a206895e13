from .generate import run_generate
from .inpaint import run_inpaint
from .predict import run_predict
from .relax import relax_files

__all__ = [
    "relax_files",
    "run_generate",
    "run_inpaint",
    "run_predict",
]
