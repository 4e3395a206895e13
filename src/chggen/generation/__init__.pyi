from .built_in_guest_sources import AnywhereGuests, OrbitGuests, PatternGuests, PrototypeGuests
from .cell_starts import BravaisCell, LearnedCell, PrototypeCell, SpaceGroupCell
from .contacts import NOT_FINITE, reject_reason
from .disorder import VACANT, Disorder, Sublattice
from .disorder_reading import read_disorder
from .energy_selection import KEPT, LowestAfterSteps, LowestEnergy
from .evolved_starts import Parent
from .filling_order import beside_analogues, fillings, same_start
from .finished_structures import FinishedStructure, FinishedStructures
from .host import Host, batched_hosts, caps_of, check_guests, default_guests, empty_host, strip_guests, walls_of
from .host_orbits import on_orbits, symmetrised
from .host_starts import GivenHost, OnOrbits, PrototypeSites
from .interface_cells import InterfaceCell, InterfaceRequest, interface_cell
from .interface_starts import ShiftedInterface, interface_start
from .ion_capacity import ions_with_room, most_known, redox_room
from .jobs import Job
from .molecules import PlacedMolecules
from .options import SamplerOptions
from .ordering_cells import OrderingCell, cells_to_fill, ordering_cell
from .ordering_registry import LATTICE, FoundOrdering, OrderingRequest, OrderingSource, ordering_sources
from .ordering_relation import AverageCrystal, OrderingRelation
from .ordering_search import low_orderings
from .ordering_sites import OrderingSites
from .prototype_mapping import analogues
from .prototypes import count_prototypes, prototype_of
from .random_cells import random_bravais_cell
from .region_filling import formula_units_that_fit
from .sources import (
    AUTO,
    FILE,
    CellRequest,
    CellSource,
    GuestSource,
    cell_sources,
    guest_sources,
)
from .space_group_statistics import count_known
from .start import FinishedStart, SettlingStart, Start
from .strategy import Kind, by_energy, recipe_of
from .vacancies import vacancy_orderings
from .volume import VolumePrior, volume_per_atom

__all__ = [
    "AUTO",
    "FILE",
    "KEPT",
    "LATTICE",
    "NOT_FINITE",
    "VACANT",
    "AnywhereGuests",
    "AverageCrystal",
    "BravaisCell",
    "CellRequest",
    "CellSource",
    "Disorder",
    "FinishedStart",
    "FinishedStructure",
    "FinishedStructures",
    "FoundOrdering",
    "GivenHost",
    "GuestSource",
    "Host",
    "InterfaceCell",
    "InterfaceRequest",
    "Job",
    "Kind",
    "LearnedCell",
    "LowestAfterSteps",
    "LowestEnergy",
    "OnOrbits",
    "OrbitGuests",
    "OrderingCell",
    "OrderingRelation",
    "OrderingRequest",
    "OrderingSites",
    "OrderingSource",
    "Parent",
    "PatternGuests",
    "PlacedMolecules",
    "PrototypeCell",
    "PrototypeGuests",
    "PrototypeSites",
    "SamplerOptions",
    "SettlingStart",
    "ShiftedInterface",
    "SpaceGroupCell",
    "Start",
    "Sublattice",
    "VolumePrior",
    "analogues",
    "batched_hosts",
    "beside_analogues",
    "by_energy",
    "caps_of",
    "cell_sources",
    "cells_to_fill",
    "check_guests",
    "count_known",
    "count_prototypes",
    "default_guests",
    "empty_host",
    "fillings",
    "formula_units_that_fit",
    "guest_sources",
    "interface_cell",
    "interface_start",
    "ions_with_room",
    "low_orderings",
    "most_known",
    "on_orbits",
    "ordering_cell",
    "ordering_sources",
    "prototype_of",
    "random_bravais_cell",
    "read_disorder",
    "recipe_of",
    "redox_room",
    "reject_reason",
    "same_start",
    "strip_guests",
    "symmetrised",
    "vacancy_orderings",
    "volume_per_atom",
    "walls_of",
]
