"""chggen: crystal structure prediction by host-guided inpainting.

The names below are the public interface; they load what they need when first used.
"""

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
