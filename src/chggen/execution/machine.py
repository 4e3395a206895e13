"""Machine: where a run computes, which is never part of what the run is."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any, Final

from chggen.errors import InputError
from chggen.execution.device import check_device
from chggen.execution.isolation import foreign_code_is_isolated

TIME_LIMIT: Final = 6 * 3600.0
"""The time limit unless another is given, s: far beyond what chggen's own models take for the largest cells."""


LOCAL: Final = "local"
"""Name that stands for no executor: processes of this machine."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where to compute. A run may be resumed with another machine, and makes the same candidates on any.

    Attributes:
        device: `cpu`, or `cuda` where there is a GPU.
        workers: Number of processes; 0 stands for one for each core, or for each GPU.
        batch_size: Largest number of candidates that a process makes at once.
        time_limit: Time in which something has to come of a batch, s. After that it is taken apart, and a candidate
            that alone takes longer fails. In this process, Python code alone can be stopped.
        isolate: Whether code of others, such as calculators, is kept out of this process even with one worker.
        executor: What computes batches instead of local processes: any executor, or one by its name such as
            `slurm:cluster.toml`. Then `workers` is how many batches it computes at a time; 0: as many as it says.

    Raises:
        InputError: For a device that is not here, and for numbers that are none or too small.
    """

    device: str = "cpu"
    workers: int = 0
    batch_size: int = 8
    time_limit: float = TIME_LIMIT
    isolate: bool = field(default_factory=foreign_code_is_isolated)
    executor: Executor | str | None = None

    def __post_init__(self) -> None:
        for name, least in (("workers", 0), ("batch_size", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise InputError(f"{name}: expected a whole number of at least {least}, got {value!r}")
        limit = self.time_limit
        if not isinstance(limit, (int, float)) or isinstance(limit, bool) or not limit > 0:
            raise InputError(f"time_limit: expected seconds above 0, got {limit!r}")
        if self.executor == LOCAL:
            object.__setattr__(self, "executor", None)
        if self.executor is None:
            check_device(self.device)
        elif isinstance(self.executor, str):
            from chggen.execution.executors import check_executor  # which knows this class

            check_executor(self.executor)
        elif not hasattr(self.executor, "submit"):
            got = type(self.executor).__name__
            raise InputError(f"executor: expected slurm:FILE, dask:ADDRESS or an object with submit, got {got}")

    @property
    def here(self) -> Machine:
        """This machine without the executor."""
        return replace(self, executor=None, device="cpu", workers=0) if self.executor is not None else self

    def as_dict(self) -> dict[str, Any]:
        """Return what is written down of it: an executor by its name or its class."""
        told = {key: getattr(self, key) for key in ("device", "workers", "batch_size", "time_limit", "isolate")}
        executor = self.executor
        return {**told, "executor": executor if isinstance(executor, str | None) else type(executor).__name__}
