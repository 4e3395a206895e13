"""What structures are like inside: distances, environments and angles of atoms, and how far their order reaches."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
