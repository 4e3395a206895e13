from .batches import batches_of, share_of
from .device import check_device
from .executor import Workers
from .executors import RegisteredExecutor, on_executor
from .failure import Failure, at_stage
from .isolation import isolate_foreign_code
from .machine import TIME_LIMIT, Machine
from .memory import free_memory, keep_memory
from .progress import Progress, silent
from .progress_note import NotedProgress, StageNote, read_note

__all__ = [
    "TIME_LIMIT",
    "Failure",
    "Machine",
    "NotedProgress",
    "Progress",
    "RegisteredExecutor",
    "StageNote",
    "Workers",
    "at_stage",
    "batches_of",
    "check_device",
    "free_memory",
    "isolate_foreign_code",
    "keep_memory",
    "on_executor",
    "read_note",
    "share_of",
    "silent",
]
