"""What people look at: the page of a run, and phase diagrams."""

from __future__ import annotations

from chggen.report.drawing import save
from chggen.report.page import draw_candidates, write_report
from chggen.report.phase_diagram import picture

__all__ = ["draw_candidates", "picture", "save", "write_report"]
