"""Reports of a run: the report page, its figures, and phase diagrams."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
