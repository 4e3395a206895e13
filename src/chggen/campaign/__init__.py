"""A run: which candidates are made, by whom, what is done to each, and which of them are kept."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
