from .environments import Environments
from .long_range_order import LongRangeOrder
from .pair_distances import PairDistances
from .structure_analysis import (
    ANALYSIS_FILE,
    StructureAnalysis,
    analyze_structures,
    write_analysis,
)

__all__ = [
    "ANALYSIS_FILE",
    "Environments",
    "LongRangeOrder",
    "PairDistances",
    "StructureAnalysis",
    "analyze_structures",
    "write_analysis",
]
