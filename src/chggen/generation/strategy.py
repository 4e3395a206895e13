"""How each kind of start is sampled: how many tries of how many noise levels, and what chooses among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from chggen.generation.energy_selection import LowestAfterSteps, LowestEnergy
from chggen.generation.options import SamplerOptions
from chggen.generation.start import Start
from chggen.potential import Potential
from chggen.relaxation import RelaxOptions
from chggen.sampling import DE_NOVO, QUALITIES, Criterion, DenoisingError, Recipe, recipe

# On orbits, in runs that relax: tries whose energy is looked at, and levels of each.
_ON_ORBITS: Final = {"fast": (8, 6), "best": (16, 8)}
_IN_SYMMETRY: Final = {"fast": (24, 6), "best": (64, 8)}  # the same where symmetry is kept and cells are drawn
_UNSURE: Final = {"fast": 640, "best": 2560}  # atoms that all tries in a host have where none is the best one twice
_FINALISTS: Final = {"fast": (4, 80), "best": (12, 240)}  # of these: at least so many, and as many as have these atoms


@dataclass(frozen=True)
class Kind:
    """What matters of a start for how it is sampled (see `Start`)."""

    de_novo: bool
    on_orbits: bool
    symmetric: bool
    start_sigma: float | None = None
    thorough: bool = False

    @classmethod
    def of(cls, start: Start) -> Kind:
        """Return the kind of a start.

        Args:
            start: What a candidate starts from.
        """
        thorough = getattr(start, "thorough", False)
        return cls(start.de_novo, start.on_orbits, start.symmetric, start.start_sigma, thorough)


def by_energy(sampler: SamplerOptions, relax: RelaxOptions | None) -> bool:
    """Return whether tries are chosen by their energy.

    Args:
        sampler: How to sample.
        relax: How to relax; None in a run that does not.
    """
    return relax is not None and sampler.judge in ("auto", "energy")


def recipe_of(
    kind: Kind, sampler: SamplerOptions, relax: RelaxOptions | None, potential: Callable[[], Potential]
) -> Recipe:
    """Return the recipe by which a kind of start is sampled.

    Starts on orbits choose among more tries of fewer levels. Orbits have fewer coordinates to settle, and it matters
    more which orbits they are. Among many the energy finds the low ones, most of all after a few steps of relaxation,
    while the network's own error hardly does. Where sites are roughly known there is one try and nothing to choose.

    Args:
        kind: The kind of start.
        sampler: How to sample.
        relax: How to relax; None in a run that does not.
        potential: Called for the potential, where energies choose.
    """
    best_of, levels, final = sampler.best_of, sampler.levels, None
    atoms = _UNSURE[sampler.quality] if kind.thorough and best_of is None else 0
    if kind.start_sigma is not None:
        best_of = 1
    elif kind.on_orbits and best_of is None:
        best_of = 2 * QUALITIES[sampler.quality][1]
        if relax is not None and by_energy(sampler, relax) and levels is None:
            best_of, levels = (_IN_SYMMETRY if kind.symmetric else _ON_ORBITS)[sampler.quality]
            if kind.symmetric:
                final = LowestAfterSteps(potential(), relax, *_FINALISTS[sampler.quality])
    criterion: Criterion = LowestEnergy(potential()) if by_energy(sampler, relax) else DenoisingError()
    made = recipe(
        _empty_hosts(sampler.anchor) if kind.de_novo else sampler.anchor,
        quality=sampler.quality,
        levels=levels,
        n_resample=1 if kind.de_novo else sampler.n_resample,
        jump_length=None if kind.de_novo else sampler.jump_length,
        best_of=best_of,
        atoms=atoms,
        judge=criterion,
        top=kind.start_sigma,
    )
    if kind.on_orbits:  # tries draw other orbits each, so two that agree say nothing of the others
        made = replace(made, choice=replace(made.choice, final=final, enough=None))
    return made


def _empty_hosts(anchor: str) -> str:
    """Return the recipe of an empty host in a run that fills hosts by `anchor`: the paper has its own walk for both."""
    return "paper" if anchor == "paper" else DE_NOVO
