from .budget import Budget
from .comparison import StructureComparison
from .duplicates import outcome, promising, survivors, with_duplicates
from .electrode_scan import ElectrodeScan
from .further_levels import FurtherLevels
from .help_texts import ORDER_HELP
from .host_jobs import framework_jobs, guests_by_formula, inpaint_jobs
from .inpaint_host import InpaintHost, with_cell_of_slab
from .insertion_energy import Insertion, check_mu
from .interface_answer import INTERFACE_FILE, answer_of_interface
from .interface_jobs import Interfaces
from .interface_options import InterfaceOptions
from .moving_atoms import check_held_elements
from .options import SHIPPED, GenerateOptions, PredictOptions, RunOptions
from .ordering_answer import ORDER_FILE, OrderAnswer, OrderedCrystal
from .ordering_jobs import Orderings
from .parts import relax_in_parts
from .production import clearly_lower, sample_jobs
from .provenance import RUNS, digests_of, write_down
from .relax_and_refine import left_symmetry, relax_candidates
from .resources import Resources, check_potential
from .runner import NOTE, Campaign
from .shards import Shard
from .shared_sublattices import SharedSublattice
from .structure_options import ElectrodeOptions, InpaintOptions, OrderOptions

__all__ = [
    "INTERFACE_FILE",
    "NOTE",
    "ORDER_FILE",
    "ORDER_HELP",
    "RUNS",
    "SHIPPED",
    "Budget",
    "Campaign",
    "ElectrodeOptions",
    "ElectrodeScan",
    "FurtherLevels",
    "GenerateOptions",
    "InpaintHost",
    "InpaintOptions",
    "Insertion",
    "InterfaceOptions",
    "Interfaces",
    "OrderAnswer",
    "OrderOptions",
    "OrderedCrystal",
    "Orderings",
    "PredictOptions",
    "Resources",
    "RunOptions",
    "Shard",
    "SharedSublattice",
    "StructureComparison",
    "answer_of_interface",
    "check_held_elements",
    "check_mu",
    "check_potential",
    "clearly_lower",
    "digests_of",
    "framework_jobs",
    "guests_by_formula",
    "inpaint_jobs",
    "left_symmetry",
    "outcome",
    "promising",
    "relax_candidates",
    "relax_in_parts",
    "sample_jobs",
    "survivors",
    "with_cell_of_slab",
    "with_duplicates",
    "write_down",
]
