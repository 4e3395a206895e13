"""Checkpoints of score models: writing and reading them, and loading the model that comes with the package.

A checkpoint holds the weights, the number of its format, the name and options of the architecture, and provenance: how
the weights were made. It holds no code and is read with `weights_only=True`.
"""

from __future__ import annotations

import dataclasses
import os
import reprlib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from chggen.errors import InputError
from chggen.execution import check_device, keep_memory
from chggen.io import from_table, read_tensors, whole

FORMAT: Final = 1
SHIPPED_MODEL: Final = "score.pt"  # file in the package chggen.score
_MAX_PARAMETERS: Final = 10**8  # 400 MB of weights; the shipped model has 546,708 parameters
_KEYS: Final = {"architecture": str, "options": dict, "weights": dict, "provenance": dict}


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
        InputError: If the architecture or an option is unknown, an option has a wrong type or value, or the model
            would have more than 10⁸ parameters. Nothing is built then.
    """
    options_class, network = architecture(name)
    chosen = from_table(options_class, options, "model")
    _plan(network, chosen)
    return network(chosen)


def _plan(network: type[nn.Module], options: Any) -> dict[str, torch.Size]:
    """Return the shapes of a network's weights by name without making them. Raises InputError for too large a one."""
    with torch.device("meta"):  # where tensors have shapes but no memory
        planned = network(options)
    count = sum(weight.numel() for weight in planned.parameters())
    if count > _MAX_PARAMETERS:
        raise InputError(
            f"the model would have {count:,} parameters; expected at most {_MAX_PARAMETERS:,}, choose fewer features "
            "or layers"
        )
    return {name: weight.shape for name, weight in planned.state_dict().items()}


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
        InputError: If torch is older than 2.10, the file is missing, is no checkpoint or has another format, or a part
            of it is missing, of a wrong type or not finite.
    """
    if not os.path.isfile(path):  # False for names that no file can have, too
        raise InputError(f"no score model at {path}; give a checkpoint written by `chggen train`")
    content = read_tensors(path, "a chggen checkpoint")
    found = content.get("format") if isinstance(content, dict) else type(content).__name__
    if type(found) is not int or found != FORMAT:
        told = found if isinstance(found, str) else reprlib.repr(found)
        raise InputError(
            f"{path} has checkpoint format {told:.40}, expected {FORMAT}; retrain it or use a matching chggen"
        )
    for key, kind in _KEYS.items():
        if not isinstance(content.get(key), kind):
            what = f"a {type(content[key]).__name__} as" if key in content else "no"
            raise InputError(f"{path} holds {what} '{key}'; expected a {kind.__name__}, retrain it or download it anew")
    for name, weight in content["weights"].items():
        if fault := _fault(weight):
            raise InputError(
                f"the weights '{name!s:.60}' in {path} are {fault}; expected finite numbers, retrain it or download it "
                "anew"
            )
    return content


def _fault(weight: Any) -> str:
    """Return what is wrong with weights, empty for finite numbers that lie in memory as they are counted."""
    if not isinstance(weight, torch.Tensor):
        return f"a {type(weight).__name__}"
    if weight.layout != torch.strided or weight.is_quantized or weight.device.type != "cpu":
        return "no plain numbers"
    if not weight.dtype.is_floating_point:
        return f"of type {weight.dtype}"
    if weight.numel() * weight.element_size() > weight.untyped_storage().nbytes():
        return "fewer than they claim"
    return "" if bool(torch.isfinite(weight).all()) else "NaN or infinite"


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
    try:
        model = _with_weights(content)
    except InputError as error:
        raise InputError(f"{path or 'the shipped model'} is no model that can be used: {error}") from None
    model = model.to(device).eval().requires_grad_(False)
    getattr(model, "arrange", lambda: None)()  # architectures that have a faster form for evaluation
    return model


def _with_weights(content: Mapping[str, Any]) -> nn.Module:
    """Return the model of a checkpoint. What does not fit is refused before the model is built; raises InputError."""
    options_class, network = architecture(content["architecture"])
    options = from_table(options_class, content["options"], "model")
    planned = _plan(network, options)
    weights = content["weights"]
    for name in (*planned, *weights):
        expected, found = planned.get(name), getattr(weights.get(name), "shape", None)
        if expected != found:
            told = [tuple(shape) if shape is not None else "none" for shape in (found, expected)]
            raise InputError(
                f"the weights do not fit its architecture: {name!s:.60} of shape {told[0]}, expected {told[1]}"
            )
    model = network(options)
    model.load_state_dict(weights)
    return model
