from .chosen_atoms import atoms_of, holding
from .combined import BothOf, EitherOf, Without
from .given import RegionLike, named_regions, region_for
from .protocol import Region
from .room import drawn_apart
from .shapes import Box, Cylinder, Near, Slab, Sphere
from .specification import region_of, regions_of
from .vacuum import VacuumGap, no_bulk, vacuum_gap

__all__ = [
    "BothOf",
    "Box",
    "Cylinder",
    "EitherOf",
    "Near",
    "Region",
    "RegionLike",
    "Slab",
    "Sphere",
    "VacuumGap",
    "Without",
    "atoms_of",
    "drawn_apart",
    "holding",
    "named_regions",
    "no_bulk",
    "region_for",
    "region_of",
    "regions_of",
    "vacuum_gap",
]
