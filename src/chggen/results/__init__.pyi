from .calculations import Calculation, read_calculations
from .candidate import Candidate, failed
from .candidates import Candidates
from .cif_files import write_cif
from .columns import ANSWER, DOUBTFUL, Column, columns_of, marked, placed_at, space_group_text, subscripts, sure
from .database import read_candidates
from .disagreement import disagreements
from .export import export_survivors
from .failures import reasons_of_failure
from .folder import INPUTS, Store, read_options
from .folder_tables import has_tables, summary_order, write_tables
from .likeliest import (
    ENERGY_ERROR,
    answer,
    answers,
    contenders,
    likelier,
    probabilities,
    probability_text,
    reasons,
)
from .packing import PackedStructure, packed, unpacked
from .picture import structure_svg
from .protocol import MemoryResults, Results
from .ranking import rank, ranked
from .shared_database import SharedDatabase, check_address, is_address, read_shared, shown_address
from .summary import csv_text, further_levels, summary_row, summary_rows, summary_text
from .view import in_notebook, view_structure

__all__ = [
    "ANSWER",
    "DOUBTFUL",
    "ENERGY_ERROR",
    "INPUTS",
    "Calculation",
    "Candidate",
    "Candidates",
    "Column",
    "MemoryResults",
    "PackedStructure",
    "Results",
    "SharedDatabase",
    "Store",
    "answer",
    "answers",
    "check_address",
    "columns_of",
    "contenders",
    "csv_text",
    "disagreements",
    "export_survivors",
    "failed",
    "further_levels",
    "has_tables",
    "in_notebook",
    "is_address",
    "likelier",
    "marked",
    "packed",
    "placed_at",
    "probabilities",
    "probability_text",
    "rank",
    "ranked",
    "read_calculations",
    "read_candidates",
    "read_options",
    "read_shared",
    "reasons",
    "reasons_of_failure",
    "shown_address",
    "space_group_text",
    "structure_svg",
    "subscripts",
    "summary_order",
    "summary_row",
    "summary_rows",
    "summary_text",
    "sure",
    "unpacked",
    "view_structure",
    "write_cif",
    "write_tables",
]
