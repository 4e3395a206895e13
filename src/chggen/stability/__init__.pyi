from .building import build_references
from .decomposition import HullPosition, hull, lowest_of_each, phase_label
from .energies_above_hull import above_hull
from .importing import entries_table
from .joined_references import references_of
from .materials_project import fetch_structures
from .references import References
from .wanted import Wanted

__all__ = [
    "HullPosition",
    "References",
    "Wanted",
    "above_hull",
    "build_references",
    "entries_table",
    "fetch_structures",
    "hull",
    "lowest_of_each",
    "phase_label",
    "references_of",
]
