"""Checkpoints of score models: writing and reading them, and loading the model that comes with the package.

A checkpoint holds the weights, the number of its format, the name and options of the architecture, and provenance: how
the weights were made. It holds no code and is read with `weights_only=True`.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from chggen.errors import InputError
from chggen.execution import check_device, keep_memory
from chggen.io import from_table, whole

FORMAT: Final = 1
SHIPPED_MODEL: Final = "score.pt"  # file in the package chggen.score


def architecture(name: str) -> tuple[type[Any], type[nn.Module]]:
    """Return the classes of an architecture. They are imported only when asked for, since e3nn is slow to import.

    Args:
        name: `painn` or `nequip`.

    Returns:
        The dataclass of the architecture's options, and the class of the network.

    Raises:
        InputError: If the name is unknown.
    """
    if name == "painn":
        from chggen.score.painn import PainnOptions, PainnScore

        return PainnOptions, PainnScore
    if name == "nequip":
        from chggen.score.nequip import NequipOptions, NequipScore

        return NequipOptions, NequipScore
    raise InputError(f"unknown architecture '{name}'; expected painn or nequip")


def build_score_model(name: str, options: Mapping[str, Any]) -> nn.Module:
    """Return a score model with fresh random weights.

    Args:
        name: Name of the architecture, `painn` or `nequip`.
        options: Options of the architecture by name, for example `{"features": 64}`. Others keep their defaults.

    Returns:
        The network on the CPU, in training mode. Torch's global random state decides the weights.

    Raises:
        InputError: If the architecture or an option is unknown, or an option has a wrong type or value.
    """
    options_class, network = architecture(name)
    return network(from_table(options_class, options, "model"))


def save_checkpoint(path: Path, name: str, model: nn.Module, provenance: Mapping[str, Any]) -> None:
    """Write a checkpoint. The file appears whole or not at all.

    Args:
        path: The file to write; missing folders are made.
        name: Name of the architecture.
        model: The network, with its options as `model.options`.
        provenance: How the weights were made, as plain values: numbers and strings.
    """
    content = {
        "format": FORMAT,
        "architecture": name,
        "options": dataclasses.asdict(model.options),  # type: ignore[call-overload]
        "weights": {k: v.detach().cpu() for k, v in model.state_dict().items()},
        "provenance": dict(provenance),
    }
    save_atomically(path, content)


def save_atomically(path: Path, content: Any) -> None:
    """Write a file by `torch.save`, so that it appears whole or not at all.

    Args:
        path: The file to write; missing folders are made.
        content: What `torch.save` takes.
    """
    with whole(path) as temporary:
        torch.save(content, temporary)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return the content of a checkpoint.

    Args:
        path: A file written by `save_checkpoint`.

    Returns:
        A dictionary with the keys `format`, `architecture` (its name), `options` (of the architecture), `weights`
        (tensors by name, on the CPU) and `provenance`.

    Raises:
        InputError: If the file is missing, is no checkpoint, or has another format.
    """
    if not path.is_file():
        raise InputError(f"no score model at {path}; give a checkpoint written by `chggen train`")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a file that is no checkpoint
        raise InputError(f"{path} is not a chggen checkpoint ({type(error).__name__}); train or download one") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise InputError(
            f"{path} has checkpoint format {found}, expected {FORMAT}; retrain it or use a matching chggen"
        )
    return content


def load_score_model(path: Path | str | None = None, device: str = "cpu") -> nn.Module:
    """Return a score model that is ready for evaluation.

    Args:
        path: A checkpoint, as `chggen train` writes it. None loads the model that comes with chggen.
        device: A device of torch, such as `cpu` or `cuda`.

    Returns:
        The network on the device, in evaluation mode, its weights without gradients.

    Raises:
        InputError: If the device is not there, the path is no path, the file is missing or no checkpoint of this
            format, or its weights do not fit its architecture.

    Example:
        >>> model = load_score_model()
        >>> sum(p.numel() for p in model.parameters()) > 0
        True
    """
    check_device(device)
    keep_memory()
    if path is None:
        with resources.as_file(resources.files("chggen.score") / SHIPPED_MODEL) as shipped:
            content = read_checkpoint(shipped)
    else:
        if not isinstance(path, (str, os.PathLike)):
            raise InputError(f"expected the path of a score model, or None for the shipped one; got {path!r}")
        content = read_checkpoint(Path(path))
    model = build_score_model(content["architecture"], content["options"])
    try:
        model.load_state_dict(content["weights"])
    except RuntimeError as error:
        raise InputError(f"the weights in {path} do not fit its architecture: {error}") from None
    return model.to(device).eval().requires_grad_(False)
