"""Shares of the arms of a budget: those that do better get more of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np

from chggen.campaign.arms import Arm
from chggen.generation import Parent
from chggen.results import Candidate

_STEADY: Final = 0.25  # part of the budget that keeps the first shares, so that no source or cell size is starved
_SCALE: Final = 0.05  # eV/atom; an arm whose best candidate lies this far above the best of all gets 1/e
_NEAR: Final = 0.1  # eV/atom; the volume of a formula is learnt from candidates this near to its lowest
_ALIKE: Final = 0.001  # eV/atom


class Outcome(NamedTuple):
    """What is learnt of a good candidate.

    Attributes:
        energy: Its energy, eV/atom.
        e_decomposition: Its decomposition energy, eV/atom, where it has one.
        volume: Volume of its cell, Å³/atom.
        candidate: The candidate.
    """

    energy: float
    e_decomposition: float | None
    volume: float | None
    candidate: Candidate


class Found:
    """What has come of the arms so far."""

    def __init__(self) -> None:
        self._by_formula: dict[str, dict[Arm, list[Outcome]]] = {}

    def add(self, arm: Arm, outcome: Candidate | None) -> None:
        """Take in what came of an arm.

        Args:
            arm: The arm.
            outcome: A good candidate, or None where none came. One without an energy tells nothing about its arm.
        """
        if outcome is None:
            self._of_arm(arm)
        elif (energy := outcome.energy_per_atom) is not None:
            self._of_arm(arm).append(Outcome(energy, outcome.e_decomposition, outcome.volume_per_atom, outcome))

    def lowest_of(self, arm: Arm) -> float | None:
        """Return the lowest energy of an arm, eV/atom; inf where all failed, None where it was never tried.

        Args:
            arm: The arm.
        """
        found = self._by_formula.get(arm.formula, {}).get(arm)
        return None if found is None else min((one.energy for one in found), default=math.inf)

    def lowest(self, formula: str) -> float:
        """Return the lowest energy of a formula, eV/atom; inf where it has none.

        Args:
            formula: The formula.
        """
        return min((one.energy for one in self._of(formula)), default=math.inf)

    def above_hull(self, formula: str) -> float:
        """Return the least decomposition energy of a formula, eV/atom; 0 where it has none.

        Args:
            formula: The formula.
        """
        return min((e_d for one in self._of(formula) if (e_d := one.e_decomposition) is not None), default=0.0)

    def volumes_near_best(self, formula: str) -> list[float]:
        """Return the volumes of the candidates of a formula that lie near its lowest one, Å³/atom.

        Args:
            formula: The formula.
        """
        limit = self.lowest(formula) + _NEAR
        return [one.volume for one in self._of(formula) if one.energy <= limit and one.volume is not None]

    def parents(self, formula: str, units: int, most: int) -> list[Parent]:
        """Return the lowest crystals of a formula in cells of so many formula units, the lowest first.

        Two with one space group and energies within 1 meV/atom count as one.

        Args:
            formula: The formula.
            units: Formula units in the cell.
            most: Most that are wanted.
        """
        arms = self._by_formula.get(formula, {}).items()
        outcomes = sorted((one for arm, found in arms if arm.units == units for one in found), key=lambda o: o.energy)
        kept: list[Outcome] = []
        for one in outcomes:
            group = one.candidate.space_group_loose
            alike = (o for o in kept if o.candidate.space_group_loose == group and one.energy - o.energy < _ALIKE)
            if len(kept) < most and next(alike, None) is None:
                kept.append(one)
        structures = ((one.candidate.structure, one.energy) for one in kept)  # built for these alone
        return [Parent(structure, energy) for structure, energy in structures if structure is not None]

    def _of_arm(self, arm: Arm) -> list[Outcome]:
        return self._by_formula.setdefault(arm.formula, {}).setdefault(arm, [])

    def _of(self, formula: str) -> Iterator[Outcome]:
        return (one for found in self._by_formula.get(formula, {}).values() for one in found)


class Shares:
    """Which arm is next where all share one budget.

    Args:
        prior: The shares that the arms begin with; they sum to 1.
        found: What has come of them, which others add to.
        fade: Returns, for an arm and how many of its candidates there are, the part of its share that is left.
    """

    def __init__(self, prior: Mapping[Arm, float], found: Found, fade: Callable[[Arm, int], float]) -> None:
        self._prior = prior
        self._found = found
        self._fade = fade
        self._picked = np.zeros(len(prior), dtype=int)
        self._left = np.array([fade(arm, 0) for arm in prior])
        self._credit = np.zeros(len(prior))

    def picked(self, n: int) -> Iterator[Arm]:
        """Yield the arms of the next n candidates, as often as their shares say.

        An arm collects its share for each candidate, as far as it has not faded, and pays 1 when it is picked; the one
        with most credit is next. What rounding owes an arm is therefore kept for later rounds.

        Args:
            n: Number of candidates.
        """
        arms, shares = list(self._prior), np.array(list(self._now().values()))
        for _ in range(n):
            due = shares * self._left
            self._credit += due / due.sum() if due.any() else shares
            chosen = int(np.argmax(self._credit))
            self._credit[chosen] -= 1
            self._picked[chosen] += 1
            self._left[chosen] = self._fade(arms[chosen], int(self._picked[chosen]))
            yield arms[chosen]

    def _now(self) -> Mapping[Arm, float]:
        """Return the shares of the arms, given what is known by now.

        Arms get more the lower their best candidate lies, and formulas the nearer they come to the hull.
        """
        formulas = dict.fromkeys(arm.formula for arm in self._prior)
        lowest = {formula: self._found.lowest(formula) for formula in formulas}
        above = {formula: self._found.above_hull(formula) for formula in formulas}
        weights = {
            arm: prior * self._promise(arm, lowest[arm.formula], above[arm.formula])
            for arm, prior in self._prior.items()
        }
        total = sum(weights.values())
        if not total:
            return self._prior
        return {arm: _STEADY * p + (1 - _STEADY) * weights[arm] / total for arm, p in self._prior.items()}

    def _promise(self, arm: Arm, lowest: float, above: float) -> float:
        """Return how much an arm promises, from 0 to 1.

        It is 1 for an arm that was never tried, and for one that found the best candidate of a formula that reaches the
        hull. It is 0 where all candidates of the arm failed.

        lowest, above: the lowest energy of its formula and how far that formula stays above the hull, eV/atom.
        """
        own = self._found.lowest_of(arm)
        height = 0.0 if own is None else own - min(lowest, 1e9)
        return math.exp(-(height + max(above, 0.0)) / _SCALE)
