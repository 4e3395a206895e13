from .constraint import SymmetryConstraint
from .conventional_cell import Conventional, conventional
from .detection import (
    above_trivial,
    group_of,
    operations,
    permutations,
    space_group,
    spglib_cell,
    standard_setting,
    symbol_of,
    symmetry_dataset,
)
from .fingerprint import FINGERPRINT_SYMPREC, structure_fingerprint
from .fitting_counts import nearest_counts
from .free_volume import FreeVolume
from .group import Group
from .orbits import Orbits, host_orbits, orbits_of_sites
from .positions_taken import TakenPositions, taken_positions
from .refinement import Refined, refine, symmetrised_framework
from .site_assignment import OrbitPlan, plan_orbits
from .wyckoff import Setting, WyckoffPosition, hall_number, point_group_order, positions_of, setting

__all__ = [
    "FINGERPRINT_SYMPREC",
    "Conventional",
    "FreeVolume",
    "Group",
    "OrbitPlan",
    "Orbits",
    "Refined",
    "Setting",
    "SymmetryConstraint",
    "TakenPositions",
    "WyckoffPosition",
    "above_trivial",
    "conventional",
    "group_of",
    "hall_number",
    "host_orbits",
    "nearest_counts",
    "operations",
    "orbits_of_sites",
    "permutations",
    "plan_orbits",
    "point_group_order",
    "positions_of",
    "refine",
    "setting",
    "space_group",
    "spglib_cell",
    "standard_setting",
    "structure_fingerprint",
    "symbol_of",
    "symmetrised_framework",
    "symmetry_dataset",
    "taken_positions",
]
