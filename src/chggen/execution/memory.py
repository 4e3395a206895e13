"""Memory of large tensors kept by the process instead of handed back to the system after every operation.

With glibc's defaults each tensor above 128 KiB is mapped and unmapped anew, and the page faults take longer than the
arithmetic. Where the C library has no mallopt, nothing is done.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_MMAP_FROM: Final = 32 * 2**20  # bytes; the most that glibc accepts
_TRIM_FROM: Final = 2**30  # bytes of free memory at the top of the heap that are kept


@cache
def keep_memory() -> bool:
    """Make the C library keep the memory of large tensors, once in this process.

    Returns:
        Whether the C library took the settings.
    """
    try:
        libc = ctypes.CDLL(None)
        return bool(libc.mallopt(_M_MMAP_THRESHOLD, _MMAP_FROM) and libc.mallopt(_M_TRIM_THRESHOLD, _TRIM_FROM))
    except (OSError, AttributeError):
        return False


def free_memory(device: str = "cpu") -> int | None:
    """Return how much memory may still be taken on a device.

    Args:
        device: `cpu` or `cuda`.

    Returns:
        Bytes; None where the system does not tell.
    """
    if device.startswith("cuda"):
        import torch

        # Torch holds what it freed, for its next tensors.
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(torch.device(device))[0]) + held
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    kibibytes = next((line.split()[1] for line in lines if line.startswith("MemAvailable:")), None)
    return None if kibibytes is None else 1024 * int(kibibytes)
