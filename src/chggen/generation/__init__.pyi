from .cell_starts import BravaisCells, JointCells, PrototypeCells, SpaceGroupCells
from .contacts import NOT_FINITE, reject_reason
from .energy_selection import KEPT, LowestAfterSteps, LowestEnergy
from .host import Host, batched_hosts, default_guests, empty_host, strip_guests
from .host_orbits import on_orbits, symmetrised
from .host_starts import GivenHost, OnOrbits, PrototypeSites, beside_analogues, fillings
from .jobs import Job
from .options import AUTO, GuestSeeds, SamplerOptions, SeedSource
from .prototype_mapping import analogues
from .prototypes import count_prototypes, prototype_of
from .random_cells import random_bravais_cell
from .space_group_statistics import count_known
from .start import Start
from .volume import VolumePrior, volume_per_atom

__all__ = [
    "AUTO",
    "KEPT",
    "NOT_FINITE",
    "BravaisCells",
    "GivenHost",
    "GuestSeeds",
    "Host",
    "Job",
    "JointCells",
    "LowestAfterSteps",
    "LowestEnergy",
    "OnOrbits",
    "PrototypeCells",
    "PrototypeSites",
    "SamplerOptions",
    "SeedSource",
    "SpaceGroupCells",
    "Start",
    "VolumePrior",
    "analogues",
    "batched_hosts",
    "beside_analogues",
    "count_known",
    "count_prototypes",
    "default_guests",
    "empty_host",
    "fillings",
    "on_orbits",
    "prototype_of",
    "random_bravais_cell",
    "reject_reason",
    "strip_guests",
    "symmetrised",
    "volume_per_atom",
]
