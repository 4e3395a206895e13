from .fitting import Fit, fitted
from .matching import MATCH_FILE, PowderMatch, match_candidates, match_rows, write_match
from .measured import PowderPattern, as_pattern, read_pattern
from .peaks import Peaks
from .prepared import PreparedPattern
from .radiation import wavelength_of

__all__ = [
    "MATCH_FILE",
    "Fit",
    "Peaks",
    "PowderMatch",
    "PowderPattern",
    "PreparedPattern",
    "as_pattern",
    "fitted",
    "match_candidates",
    "match_rows",
    "read_pattern",
    "wavelength_of",
    "write_match",
]
