"""The registry of score models: the shipped one, checkpoints, and models of other packages."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

from chggen.diffusion import ScoreModel
from chggen.errors import InputError
from chggen.execution import check_device
from chggen.score import checkpoint

ENTRY_POINTS: Final = "chggen.score_models"
"""Group of entry points by which other packages add score models; each names a function without arguments."""


def load_score_model(model: Path | str | None = None, device: str = "cpu") -> ScoreModel:
    """Return a score model, ready for evaluation.

    Args:
        model: None for the shipped one; the path of a checkpoint that `chggen train` has written; `module:factory` for
            what a function of an importable module makes; or the name of a model that another package registers.
        device: Where it runs, `cpu` or `cuda`.

    Returns:
        A model that is called with crystals and noise levels and gives their score.

    Raises:
        InputError: When there is no such file, module or name, for a file that is no checkpoint of this format, when
            the factory fails or gives something else, and for a device that is not here.
    """
    if model is not None and not isinstance(model, (str, os.PathLike)):
        raise InputError(f"expected the path or name of a score model, or None for the shipped one; got {model!r}")
    factory = None if model is None or os.path.exists(model) else _factory(os.fspath(model))
    if factory is None:
        return checkpoint.load_score_model(model, device)
    check_device(device)
    try:
        made = factory()
    except (Exception, SystemExit) as error:  # whatever a foreign factory raises is the user's to read
        raise InputError(
            f"score model '{model}' cannot be made ({type(error).__name__}: {error}); expected module:factory, a "
            "function without arguments"
        ) from error
    if not isinstance(made, ScoreModel):
        raise InputError(
            f"'{model}' gave a {type(made).__name__}; expected a score model, called with crystals and noise"
        )
    return made.to(device) if hasattr(made, "to") else made


_kept: dict[tuple[str, int, int, str], ScoreModel] = {}
"""The checkpoint that this process has loaded last, by path, time of change, size and device: one entry at most."""


def kept_score_model(model: Path | str | None = None, device: str = "cpu") -> ScoreModel:
    """Return a score model that is only evaluated: the same object for the same checkpoint, loaded once a process.

    Args:
        model: As for `load_score_model`. What a factory makes is made anew.
        device: Where it runs, `cpu` or `cuda`.

    Returns:
        The model, to be left as it is.

    Raises:
        InputError: As `load_score_model`.
    """
    if model is None:
        key = ("", 0, 0, device)  # the shipped one
    elif isinstance(model, (str, os.PathLike)) and os.path.isfile(model):
        found = os.stat(model)
        key = (os.path.abspath(model), found.st_mtime_ns, found.st_size, device)
    else:
        return load_score_model(model, device)
    made = _kept.get(key)
    if made is None:
        made = load_score_model(model, device)
        _kept.clear()
        _kept[key] = made
    return made


def digest_of_model(model: str | None) -> str | None:
    """Return what stands for the content of a score model in the options of a run.

    Args:
        model: As for `load_score_model`.

    Returns:
        A digest of the checkpoint file; None for the shipped model and for what a factory makes, which its name tells.
    """
    from chggen.io import digest

    if model is None or (not os.path.exists(model) and _factory(model) is not None):
        return None
    return digest(Path(model))


def _factory(name: str) -> Callable[[], Any] | None:
    """Return the factory that a name stands for, None where it is not of that kind. Raises InputError."""
    registered = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if name in registered:
        loaded: Callable[[], Any] = registered[name].load()
        return loaded
    module, _, attribute = name.partition(":")
    if not attribute or os.sep in name:
        return None
    try:
        made: Callable[[], Any] = getattr(importlib.import_module(module), attribute)
    except (Exception, SystemExit) as error:  # a module that is imported may raise anything, or leave
        raise InputError(
            f"score model '{name}' cannot be imported ({error}); expected module:factory; check the names"
        ) from None
    return made
