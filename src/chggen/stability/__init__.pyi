from .building import build_references
from .content_row import ContentRow
from .decomposition import HullPosition, hull, table_of
from .doubts import joined_doubts, without_levels
from .electrode import ELECTRODE_FILE, Electrode
from .energies_above_hull import above_hull
from .framework import element_energies, framework_displacement
from .importing import entries_table
from .interface_reaction import InterfaceReaction, reaction_of_crystals
from .joined_references import references_of
from .known_system import lowest_of_each
from .materials_project import fetch_entries, fetch_structures
from .reaction import ARROW, STATIC, phase_label
from .reference_entry import ReferenceEntry
from .references import References
from .voltage import ANIONS, VALENCES, height_above
from .wanted import Wanted

__all__ = [
    "ANIONS",
    "ARROW",
    "ELECTRODE_FILE",
    "STATIC",
    "VALENCES",
    "ContentRow",
    "Electrode",
    "HullPosition",
    "InterfaceReaction",
    "ReferenceEntry",
    "References",
    "Wanted",
    "above_hull",
    "build_references",
    "element_energies",
    "entries_table",
    "fetch_entries",
    "fetch_structures",
    "framework_displacement",
    "height_above",
    "hull",
    "joined_doubts",
    "lowest_of_each",
    "phase_label",
    "reaction_of_crystals",
    "references_of",
    "table_of",
    "without_levels",
]
