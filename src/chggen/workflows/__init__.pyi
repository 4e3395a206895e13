from .dft import import_dft
from .electrode import run_electrode
from .generate import run_generate
from .inpaint import run_inpaint
from .interface import run_interface
from .merge import collect, merge_folders
from .order import run_order
from .ordered_input import ordered_host, ordered_structures
from .predict import run_predict
from .reading import read_results
from .relax import relax_files
from .results import check_place, results_of

__all__ = [
    "check_place",
    "collect",
    "import_dft",
    "merge_folders",
    "ordered_host",
    "ordered_structures",
    "read_results",
    "relax_files",
    "results_of",
    "run_electrode",
    "run_generate",
    "run_inpaint",
    "run_interface",
    "run_order",
    "run_predict",
]
