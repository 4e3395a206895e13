from .building import build_references
from .decomposition import HullPosition, hull, lowest_of_each
from .doubts import joined_doubts
from .energies_above_hull import above_hull
from .importing import entries_table
from .joined_references import references_of
from .materials_project import fetch_structures
from .reaction import ARROW, STATIC, phase_label
from .references import References
from .wanted import Wanted

__all__ = [
    "ARROW",
    "STATIC",
    "HullPosition",
    "References",
    "Wanted",
    "above_hull",
    "build_references",
    "entries_table",
    "fetch_structures",
    "hull",
    "joined_doubts",
    "lowest_of_each",
    "phase_label",
    "references_of",
]
