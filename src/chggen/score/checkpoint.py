"""Versioned files of score models: weights, architecture options and where they come from; and the shipped one."""

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
SHIPPED: Final = "score.pt"


def architecture(name: str) -> tuple[type[Any], type[nn.Module]]:
    """Options class and network class of an architecture. Raises InputError for an unknown name."""
    if name == "painn":
        from chggen.score.painn import PainnOptions, PainnScore

        return PainnOptions, PainnScore
    if name == "nequip":
        from chggen.score.nequip import NequipOptions, NequipScore

        return NequipOptions, NequipScore
    raise InputError(f"unknown architecture '{name}'; expected painn or nequip")


def build(name: str, options: Mapping[str, Any]) -> nn.Module:
    """A network with fresh weights."""
    options_class, network = architecture(name)
    return network(from_table(options_class, options, "model"))


def save(path: Path, name: str, model: nn.Module, provenance: Mapping[str, Any]) -> None:
    """Write a checkpoint (law: weights + format version + architecture options + provenance), atomically."""
    content = {
        "format": FORMAT,
        "architecture": name,
        "options": dataclasses.asdict(model.options),  # type: ignore[call-overload]
        "weights": {k: v.detach().cpu() for k, v in model.state_dict().items()},
        "provenance": dict(provenance),
    }
    write_atomically(path, content)


def write_atomically(path: Path, content: Any) -> None:
    """torch.save to a file that appears whole or not at all."""
    with whole(path) as temporary:
        torch.save(content, temporary)


def read(path: Path) -> dict[str, Any]:
    """The content of a checkpoint. Raises InputError when it is missing, no checkpoint, or of another format."""
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
    """The shipped score model, or the one at path, ready for evaluation. Raises InputError (see read, check_device)."""
    check_device(device)
    keep_memory()
    if path is None:
        with resources.as_file(resources.files("chggen.score") / SHIPPED) as shipped:
            content = read(shipped)
    else:
        if not isinstance(path, (str, os.PathLike)):
            raise InputError(f"expected the path of a score model, or None for the shipped one; got {path!r}")
        content = read(Path(path))
    model = build(content["architecture"], content["options"])
    try:
        model.load_state_dict(content["weights"])
    except RuntimeError as error:
        raise InputError(f"the weights in {path} do not fit its architecture: {error}") from None
    return model.to(device).eval().requires_grad_(False)
