"""Files that torch has written, read without running anything that they hold."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from chggen.errors import InputError

SAFE_TORCH: Final = (2, 10)
"""First version of torch whose `weights_only=True` is known neither to be bypassed nor to corrupt memory."""

MAX_BYTES: Final = 2**30
"""Most bytes that a file may unpack to."""


def read_tensors(path: Path, what: str, device: str = "cpu", allowed: Sequence[type] = ()) -> Any:
    """Return the content of a file of `torch.save`: tensors, plain values, dictionaries and lists of them.

    Args:
        path: The file. It must exist.
        what: What is expected, for the message, such as `a chggen checkpoint`.
        device: Where the tensors go, as torch names it.
        allowed: Further classes that the file may hold, whose making does no harm.

    Returns:
        The content.

    Raises:
        InputError: If torch is older than 2.10, the file cannot be read, is of another kind or incomplete, unpacks to
            more than 1 GiB, or holds anything but tensors, plain values and the allowed classes.
    """
    import torch

    if _version(torch.__version__) < SAFE_TORCH:
        raise InputError(
            f"torch {torch.__version__} cannot read files of others safely; expected torch 2.10 or newer, "
            "upgrade it with pip install 'torch>=2.10'"
        )
    check_unpacked_size(path, what)
    try:
        with torch.serialization.safe_globals(list(allowed)):
            return torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises many kinds for a file that it cannot read
        raise InputError(_refusal(path, what, type(error).__name__)) from None


def check_unpacked_size(path: Path, what: str, most: int = MAX_BYTES) -> None:
    """Check that a zip file, as torch and numpy write them, does not unpack to too much.

    Args:
        path: The file.
        what: What is expected, for the message, such as `a chggen checkpoint`.
        most: Most bytes that it may unpack to.

    Raises:
        InputError: If it unpacks to more, cannot be read or is no zip file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except PermissionError:
        raise InputError(f"{path} cannot be read; expected {what}, check the rights to read it") from None
    except Exception as error:  # zipfile raises BadZipFile, NotImplementedError, struct.error and others
        raise InputError(_refusal(path, what, type(error).__name__)) from None
    if max(size, path.stat().st_size) > most:
        raise InputError(f"{path} unpacks to {size / 2**30:.1f} GiB; expected {what} of at most {most >> 30} GiB")


def _refusal(path: Path, what: str, reason: str) -> str:
    return f"{path} is not {what} ({reason}); check the file, or make it anew"


def _version(text: str) -> tuple[int, ...]:
    """The first two numbers of a version such as `2.13.0+cpu`."""
    return tuple(int(number) for number in re.findall(r"\d+", text)[:2])
