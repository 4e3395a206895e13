"""Which devices this machine has."""

from __future__ import annotations

import os

import torch

from chggen.errors import InputError


def check_device(device: str) -> None:
    """Check that a device is available on this machine.

    Args:
        device: `cpu`, or `cuda` where there is a GPU.

    Raises:
        InputError: The device is not available.
    """
    if device != "cpu" and not (str(device).startswith("cuda") and torch.cuda.is_available()):
        raise InputError(f"device '{device}' is not available here; expected cpu, or cuda with a GPU")


def gpus_of(device: str) -> tuple[str, ...]:
    """Return the GPUs that processes share, by their names in CUDA_VISIBLE_DEVICES.

    Args:
        device: `cuda` stands for all GPUs of this machine that are visible, one process each. `cuda:1` is one of them
            alone, which needs no name.

    Returns:
        Their names; none for one GPU, and for `cpu`.
    """
    if device != "cuda" or (count := torch.cuda.device_count()) < 2:
        return ()
    given = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return tuple(given[:count] or map(str, range(count)))
