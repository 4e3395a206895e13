"""Powder patterns: reading measured ones, and how well crystals agree with them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
