"""Noise on positions and lattices, its levels, and the protocol of the score models that remove it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
