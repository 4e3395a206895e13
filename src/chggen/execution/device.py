"""Which devices this machine has."""

from __future__ import annotations

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
