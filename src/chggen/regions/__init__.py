"""Regions: parts of a cell that guests may fill, and atoms chosen by where or what they are."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
