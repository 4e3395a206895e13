"""Resources: what a worker needs to make candidates, loaded once in its process."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from chggen.diffusion import ScoreModel
from chggen.errors import InputError
from chggen.execution import Machine
from chggen.generation import Kind, SamplerOptions, by_energy, recipe_of
from chggen.potential import Potential, load_potential, registered
from chggen.relaxation import RelaxOptions
from chggen.sampling import Recipe, ShapeSampler
from chggen.score import kept_score_model


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a worker needs besides its jobs: score model, potential and recipes.

    Attributes:
        sampler: How to sample.
        relax: How to relax; None in a run that does not.
        held: Elements whose atoms stay in place when candidates are relaxed.
        device: Where models run, `cpu` or `cuda`.
        trajectories: Folder for the trajectories of relaxations; None where nobody asks for them.
        weights: Time of change (ns) and size of the file of the score model, where workers load it from one.
        loaded: Models that this process has loaded, by name.
    """

    sampler: SamplerOptions
    relax: RelaxOptions | None
    held: tuple[str, ...] = ()
    device: str = "cpu"
    trajectories: Path | None = None
    weights: tuple[int, int] | None = None
    loaded: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def unloaded(self) -> Resources:
        """Return the same before anything is loaded: what is sent to workers.

        The file of a score model is told by absolute path, time and size, so that workers that are kept load it again
        once it has changed.
        """
        model = self.sampler.model
        if model is None or not os.path.isfile(model):
            return replace(self, loaded={})
        found = os.stat(model)
        sampler = self.sampler.model_copy(update={"model": os.path.abspath(model)})
        return replace(self, sampler=sampler, weights=(found.st_mtime_ns, found.st_size), loaded={})

    def seconds(self, each: Iterable[float], machine: Machine) -> float:
        """Return what work is expected to take on one core, s: infinite where code of others is kept apart.

        Args:
            each: What each item is expected to take, s.
            machine: Where the work is done.
        """
        return math.inf if self.foreign and machine.isolate else sum(each, 0.0)

    def check(self) -> None:
        """Load what can be refused.

        Raises:
            InputError: For a score model that cannot be loaded, and for a judge that lacks what it needs.
        """
        self.score()
        if self.sampler.judge == "energy" and self.relax is None:
            raise InputError("judge energy needs a potential, which an unrelaxed run has none of; use judge score")

    def score(self) -> ScoreModel:
        """Return the score model, loaded when first asked for."""
        if "score" not in self.loaded:
            self.loaded["score"] = kept_score_model(self.sampler.model, self.device)
        return cast(ScoreModel, self.loaded["score"])

    def cell_drawer(self) -> ShapeSampler | None:
        """Return what draws cells for the source `learned`; None where the score model has no strain score."""
        score = self.score()
        return ShapeSampler(score, self.device) if getattr(score, "strain", None) is not None else None

    def potential(self) -> Potential:
        """Return the potential, loaded when first asked for."""
        assert self.relax is not None
        if "potential" not in self.loaded:
            self.loaded["potential"] = load_potential(self.relax.potential, self.device)
        return cast(Potential, self.loaded["potential"])

    @property
    def foreign(self) -> bool:
        """Whether a potential or a score model is made by a function that nobody here knows.

        What such code takes, and whether it ends the process that calls it, is not known either.
        """
        relax, model = self.relax, self.sampler.model
        made = model is not None and not Path(model).exists()
        return made or (relax is not None and registered(relax.potential) is None)

    @property
    def by_energy(self) -> bool:
        """Whether samples are chosen by their energy."""
        return by_energy(self.sampler, self.relax)

    def recipe(self, kind: Kind) -> Recipe:
        """Return the recipe by which a kind of start is sampled.

        Args:
            kind: The kind of start.
        """
        return recipe_of(kind, self.sampler, self.relax, self.potential)


def check_potential(name: str) -> None:
    """Check that a potential is known or can be made.

    Args:
        name: Its name.

    Raises:
        InputError: For a potential that is not known, cannot be made, or whose package is not installed.
    """
    if (known := registered(name)) is not None:
        known.check()
    else:
        load_potential(name)
