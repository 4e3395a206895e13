from .dataset import read_dataset
from .loop import train
from .options import NoiseOptions, TrainingOptions
from .validation import validation_loss

__all__ = [
    "NoiseOptions",
    "TrainingOptions",
    "read_dataset",
    "train",
    "validation_loss",
]
