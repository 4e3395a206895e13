from .analysis_figures import save_analysis_figures
from .drawing import save
from .figures import remaining
from .interface_table import interface_page
from .order_table import index_text, order_notes, order_sentences, read_order
from .page import draw_candidates, write_report
from .paper_figures import save_figures
from .phase_diagram import picture

__all__ = [
    "draw_candidates",
    "index_text",
    "interface_page",
    "order_notes",
    "order_sentences",
    "picture",
    "read_order",
    "remaining",
    "save",
    "save_analysis_figures",
    "save_figures",
    "write_report",
]
