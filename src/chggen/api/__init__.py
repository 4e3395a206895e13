"""The Python interface: the commands as functions that take and return structures and candidates.

Keywords are those of the option models (`campaign.options`, `campaign.structure_options`). Their descriptions are
written there once: they are the help of the command line, and the argument lists of these functions.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
