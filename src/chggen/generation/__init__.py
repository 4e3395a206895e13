"""Where crystals start from: hosts and guests, cells and sites, and how their samples are checked and chosen."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
