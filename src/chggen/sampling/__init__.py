"""The denoising loop and its parts: recipes, predictors, corrector, anchors, resampling, selection, cell shapes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
