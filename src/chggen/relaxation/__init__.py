"""Relaxation of structures with an interatomic potential, many in one batch."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
