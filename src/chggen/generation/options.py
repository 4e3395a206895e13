"""Options of sampling: model, anchor, evaluations, tries, and where guests and cells come from."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from chggen.settings import Options


class SamplerOptions(Options):
    """How to sample: None takes the recipe's own value.

    anchor: how a host is held; quality: evaluations to spend; best_of: tries for each candidate, of which the judge
    keeps one: `score`, the least denoising error of the score network; `energy`, the lowest by the potential, not
    relaxed; `auto`: energy in runs that relax, score in those that do not.
    """

    model: Path | None = None
    anchor: Literal["clamp", "renoise", "paper"] = "clamp"
    quality: Literal["fast", "best"] = "best"
    levels: int | None = Field(default=None, ge=2)
    n_resample: int | None = Field(default=None, ge=1)
    jump_length: int | None = Field(default=None, ge=1)
    best_of: int | None = Field(default=None, ge=1)
    judge: Literal["auto", "score", "energy"] = "auto"


AUTO: Final = "auto"
GuestSeeds = Literal["auto", "prototype", "orbits", "anywhere"]
SeedSource = Literal["bravais", "joint", "space-group", "prototype", "auto"]
