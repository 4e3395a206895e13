from .device import check_device
from .executor import Crew, batches_of, run_batches
from .machine import Machine
from .memory import free_memory, keep_memory
from .progress import Progress, silent

__all__ = [
    "Crew",
    "Machine",
    "Progress",
    "batches_of",
    "check_device",
    "free_memory",
    "keep_memory",
    "run_batches",
    "silent",
]
