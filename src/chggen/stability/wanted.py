"""Wanted: which known phases are relaxed when reference energies are built."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from chggen.crystals import system_elements
from chggen.errors import InputError
from chggen.stability.energies_above_hull import above_hull
from chggen.stability.energy_log import EnergyLog
from chggen.stability.reference_entry import element_mask
from chggen.stability.references import References

_ON_HULL: Final = 1e-5  # eV/atom; a phase no higher above a hull counts as on it


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which phases are relaxed. All others keep their static energies.

    Phases on a hull are relaxed, and those a little above one, the nearest first. Of the rest a random sample is
    relaxed. The median fall of the sample's energies tells by how much all the static ones lie too high.

    Attributes:
        within: Energy above hull up to which phases are relaxed, in eV/atom. 0 stands for phases on a hull alone, a
            negative number for none, infinity for all.
        first: Chemical systems, such as Zn-P-S, whose phases come before all others.
        sample: Number of static phases that are relaxed as a sample.

    Raises:
        InputError: A number makes no sense, or an element is unknown.
    """

    within: float = math.inf
    first: Sequence[str] = ()
    sample: int = 0

    def __post_init__(self) -> None:
        if math.isnan(self.within) or self.sample < 0:
            raise InputError(
                f"expected a limit in eV/atom and a sample of 0 or more, got {self.within} and {self.sample}"
            )
        for system in self.first:
            element_mask(system_elements(system))

    def choose(self, log: EnergyLog, level: str, given: Container[str]) -> list[str]:
        """Return which phases to relax next.

        Phases of the first systems come before those on a hull, and these before others near one. The hull is that of
        the energies known so far, so call this again after each batch. A system without all of its elements has no
        hull, and its phases count as lying on one.

        Args:
            log: What is known of the phases.
            level: Level of theory.
            given: Names of the phases that can be relaxed.

        Returns:
            Names of untried phases, the nearest to a hull first; none when all that are wanted were tried.
        """
        if self.within < 0:
            return []
        table = References.from_entries(entry for entry in log.entries() if entry.level == level)
        if not len(table):
            return []
        untried = np.array([name in given and not log.tried(name, level) for name in table.ids.tolist()])
        distance = np.nan_to_num(above_hull(table, level), nan=0.0)
        early = np.zeros(len(table), bool)
        for system in self.first:
            outside = ~np.array(element_mask(system_elements(system)), np.uint64)
            early |= ((table.masks & outside) == 0).all(axis=1)
        near = distance <= max(self.within, _ON_HULL)
        turns = [np.flatnonzero(untried & turn) for turn in (early & near, distance <= _ON_HULL, near)]
        chosen = next((turn for turn in turns if len(turn)), turns[-1])
        order = np.lexsort((table.n_atoms[chosen], distance[chosen].round(3)))
        return [str(name) for name in table.ids[chosen[order]]]

    def drawn(self, log: EnergyLog, level: str, given: Container[str]) -> list[str]:
        """Return which static phases to relax as the sample.

        Those drawn in earlier calls count towards its size.

        Args:
            log: What is known of the phases.
            level: Level of theory.
            given: Names of the phases that can be relaxed.
        """
        names = np.array(sorted({e.id for e in log.entries() if e.level == level}))
        left = self.sample - sum("sampled" in log.of(name, level) for name in names.tolist())
        order = np.random.default_rng(0).permutation(names).tolist()
        static = [name for name in order if name in given and not log.tried(name, level)]
        return static[: max(0, left)]
