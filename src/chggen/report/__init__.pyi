from .drawing import save
from .figures import remaining
from .page import draw_candidates, write_report
from .phase_diagram import picture

__all__ = [
    "draw_candidates",
    "picture",
    "remaining",
    "save",
    "write_report",
]
