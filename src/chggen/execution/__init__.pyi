from .device import check_device
from .executor import Workers, batches_of
from .machine import Machine
from .memory import free_memory, keep_memory
from .progress import Progress, silent

__all__ = [
    "Machine",
    "Progress",
    "Workers",
    "batches_of",
    "check_device",
    "free_memory",
    "keep_memory",
    "silent",
]
