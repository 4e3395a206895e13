"""Texts that option models and the command line share, apart from the models, which take long to import."""

from __future__ import annotations

from typing import Final

ORDER_HELP: Final = "Instead of a partially occupied structure, take the lowest ordered one that `order` finds."
"""What the option `order` of several commands does."""
