"""Space groups: finding and enforcing them, their subgroups and Wyckoff positions. Adapter to spglib and pyxtal."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
