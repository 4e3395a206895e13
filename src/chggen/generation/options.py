"""Options of sampling: score model, anchor, evaluations and tries."""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from chggen.settings import Options


def _text(path: Any) -> Any:
    """Return a path as text; anything else as it is."""
    return os.fspath(path) if isinstance(path, os.PathLike) else path


def _recipe(name: str) -> str:
    """Return the name of a recipe that fills hosts; raise ValueError for any other."""
    from chggen.sampling import DE_NOVO, known_recipes  # torch comes with it

    known = [each for each in known_recipes() if each != DE_NOVO]
    if name not in known:
        raise ValueError(f"expected {', '.join(known)}")
    return name


class SamplerOptions(Options):
    """How to sample. None takes the recipe's own value."""

    model: Annotated[str | None, BeforeValidator(_text)] = Field(
        default=None,
        description="Score model: a checkpoint file, module:factory, or a registered name; default: the shipped one.",
    )
    anchor: Annotated[str, AfterValidator(_recipe)] = Field(
        default="clamp",
        description="How the host is held: clean (clamp), noised anew at each level (renoise), by the paper "
        "(paper, whose walk is that of de novo structures too), or by a registered recipe.",
    )
    quality: Literal["fast", "best"] = Field(
        default="best",
        description="Most evaluations of the score network for a candidate: 50 (fast) or 140 (best); more for the "
        "first whose guests start anywhere in a host, where its tries differ.",
    )
    levels: int | None = Field(default=None, ge=2, description="Noise levels of a try.")
    n_resample: int | None = Field(default=None, ge=1, description="How often each stretch of levels is walked.")
    jump_length: int | None = Field(default=None, ge=1, description="Levels in a stretch.")
    best_of: int | None = Field(
        default=None, ge=1, description="Tries for each candidate, of which the judge keeps one."
    )
    judge: Literal["auto", "score", "energy"] = Field(
        default="auto",
        description="What chooses among the tries: the network's denoising error (score), the potential's energy "
        "(energy), or energy in runs that relax (auto).",
    )
