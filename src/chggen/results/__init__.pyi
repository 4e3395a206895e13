from .candidate import Candidate, failed
from .cif_files import write_cif
from .database import read_candidates
from .export import export_survivors
from .folder import Store, has_tables, read_options, write_tables
from .protocol import MemoryResults, Results
from .ranking import ENERGY_ERROR, answers, likelier, rank, ranked
from .summary import further_levels, summary_row

__all__ = [
    "ENERGY_ERROR",
    "Candidate",
    "MemoryResults",
    "Results",
    "Store",
    "answers",
    "export_survivors",
    "failed",
    "further_levels",
    "has_tables",
    "likelier",
    "rank",
    "ranked",
    "read_candidates",
    "read_options",
    "summary_row",
    "write_cif",
    "write_tables",
]
