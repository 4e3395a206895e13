from .protocol import GPA, EnergyForcesStress, Potential, energies_of
from .registry import POTENTIAL_OF, POTENTIALS, load_potential

__all__ = [
    "GPA",
    "POTENTIALS",
    "POTENTIAL_OF",
    "EnergyForcesStress",
    "Potential",
    "energies_of",
    "load_potential",
]
