"""Stability against the known phases: reference energies, hulls and decomposition energies."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
