"""Machine: where a run computes, which is never part of what the run is."""

from __future__ import annotations

from dataclasses import dataclass

from chggen.errors import InputError
from chggen.execution.device import check_device


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where to compute. A run may be resumed with another machine, and makes the same candidates on any.

    Attributes:
        device: `cpu`, or `cuda` where there is a GPU.
        workers: Number of processes; 0 stands for one for each core.
        batch_size: Largest number of candidates that a process makes at once.

    Raises:
        InputError: For a device that is not here, and for numbers that are none or too small.
    """

    device: str = "cpu"
    workers: int = 0
    batch_size: int = 8

    def __post_init__(self) -> None:
        for name, least in (("workers", 0), ("batch_size", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise InputError(f"{name}: expected a whole number of at least {least}, got {value!r}")
        check_device(self.device)
