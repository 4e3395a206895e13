"""Which devices there are."""

from __future__ import annotations

import torch

from chggen.errors import InputError


def check_device(device: str) -> None:
    """Raise InputError for a device that is not here."""
    if device != "cpu" and not (str(device).startswith("cuda") and torch.cuda.is_available()):
        raise InputError(f"device '{device}' is not available here; expected cpu, or cuda with a GPU")
