"""The page of a results folder."""

from __future__ import annotations

from chggen.report.page import write_report

__all__ = ["write_report"]
