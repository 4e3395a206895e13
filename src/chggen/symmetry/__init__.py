"""Space groups: finding and enforcing them, their positions and subgroups. The adapter to spglib and pyxtal."""

from chggen.symmetry.group import Group
from chggen.symmetry.orbit_plan import OrbitPlan, nearest_counts, plan_orbits
from chggen.symmetry.orbits import Orbits, orbits_of_sites
from chggen.symmetry.refinement import (
    PAPER_LADDER,
    Refined,
    above_trivial,
    group_of,
    operations,
    permutations,
    refine,
    space_group,
    standard_setting,
    symmetrised_framework,
)
from chggen.symmetry.surroundings import Surroundings
from chggen.symmetry.wyckoff import Position, Setting, point_group_order, positions_of, setting

__all__ = [
    "PAPER_LADDER",
    "Group",
    "OrbitPlan",
    "Orbits",
    "Position",
    "Refined",
    "Setting",
    "Surroundings",
    "above_trivial",
    "group_of",
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
    "standard_setting",
    "symmetrised_framework",
]
