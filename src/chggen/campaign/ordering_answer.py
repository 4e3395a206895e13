"""OrderAnswer, what the orderings of a disordered crystal say: their energies, their relation to it, their weights."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from chggen.campaign.ordering_weights import block_size, boltzmann_weights, half_temperature
from chggen.campaign.shared_sublattices import SharedSublattice, named_shares, shared_sublattices
from chggen.errors import InputError
from chggen.generation import AverageCrystal, OrderingRelation, read_disorder
from chggen.results import Candidate
from chggen.symmetry import symbol_of

if TYPE_CHECKING:
    from pymatgen.core import Structure

ORDER_FILE: Final = "order.json"
"""File of a results folder that holds what its orderings say (`OrderAnswer.as_dict`)."""
_ORDERED: Final = 0.9  # weight of the lowest ordering from which the crystal counts as ordered
_HALF: Final = 0.5
_STRAY: Final = 0.1  # share of the atoms of the lowest ordering that may have left all sites before weights say little


@dataclass(frozen=True)
class OrderedCrystal:
    """A distinct ordered crystal.

    Attributes:
        candidate: The candidate.
        relation: How it relates to the average crystal; None where that cannot be told.
        above: Energy above the lowest one of its composition, meV/atom; None for other compositions.
        weight: Its Boltzmann weight among the orderings found; None where it has none.
    """

    candidate: Candidate
    relation: OrderingRelation | None
    above: float | None
    weight: float | None


@dataclass(frozen=True, repr=False)
class OrderAnswer:
    """What the orderings of a disordered crystal say.

    Weights are w ∝ index · exp(−N (E − E₀) / kT): an ordering may lie in the average crystal in as many ways as its
    index says, and N atoms order as a whole (`block_size`). They are weights among the orderings that were found; those
    that were not found would take from them.

    Attributes:
        parent: International number of the space group of the average crystal; None where it was not found.
        temperature: Temperature of the weights, K.
        level: Level of theory of the energies: the last one that all crystals have reached.
        atoms: Number N of atoms that order as a whole.
        crystals: Distinct ordered crystals, the lowest first; those of other compositions last.
        sublattices: Those of which occupancies say something.
    """

    parent: int | None
    temperature: float
    level: str | None
    atoms: int
    crystals: tuple[OrderedCrystal, ...]
    sublattices: tuple[SharedSublattice, ...]

    @classmethod
    def of(cls, structure: Structure, candidates: Sequence[Candidate], temperature: float) -> OrderAnswer:
        """Return the answer of finished candidates.

        Args:
            structure: The disordered structure that was ordered.
            candidates: Its candidates. Duplicates, failed ones, and those without an energy are left out.
            temperature: Temperature of the weights, K.

        Raises:
            InputError: The temperature is none, or the structure cannot be ordered.
        """
        if not (math.isfinite(temperature) and temperature > 0):
            raise InputError(f"a temperature is a number of K above zero, got {temperature!r}; give one such as 300")
        disorder = read_disorder(structure)
        average = AverageCrystal(disorder)
        distinct = [c for c in candidates if c.duplicate_of is None and c.status == "ok" and c.structure is not None]
        good = [c for c in distinct if c.energy_per_atom is not None]
        common = [own for own in (good[0].energies if good else ()) if all(own in c.energies for c in good)]
        level = common[-1] if common else None
        good = [c for c in good if level in c.energies]
        formula = Counter(c.formula for c in good).most_common(1)[0][0] if good else ""
        good.sort(key=lambda c: (c.formula != formula, round(_energy(c, level), 6), c.id))
        relations = {c.id: _relation(average, c) for c in good}
        counted = [c for c in good if c.formula == formula and _ways(relations[c.id]) is not None]
        atoms, weights = 0, {}
        if counted:
            ways = [_ways(relations[c.id]) or 1 for c in counted]
            sizes = [relations[c.id].atoms for c in counted]  # type: ignore[union-attr]
            atoms = block_size([_energy(c, level) for c in counted], ways, sizes, temperature)
            shares = boltzmann_weights([_energy(c, level) for c in counted], ways, atoms, temperature)
            weights = dict(zip((c.id for c in counted), shares.tolist(), strict=True))
        crystals = tuple(
            OrderedCrystal(
                c,
                relations[c.id],
                1000 * (_energy(c, level) - _energy(good[0], level)) if c.formula == formula else None,
                weights.get(c.id),
            )
            for c in good
        )
        weighted = [(w, r) for c, r in relations.items() if (w := weights.get(c)) is not None and r is not None]
        shared = tuple(shared_sublattices(disorder, weighted))
        return cls(average.group, temperature, level, atoms, crystals, shared)

    @property
    def spread(self) -> float | None:
        """Energy between the lowest and the highest ordering found, meV/atom; None for fewer than two."""
        heights = [c.above for c in self.crystals if c.above is not None]
        return max(heights) if len(heights) > 1 else None

    @cached_property
    def half_temperature(self) -> float | None:
        """Temperature at which the lowest ordering falls below half of the weight, K.

        It is 0 where the lowest has less at any temperature, and None where it never falls so low.
        """
        some = self._weighted
        if not some:
            return None
        ways = [_ways(c.relation) or 1 for c in some]
        return half_temperature([_energy(c.candidate, self.level) for c in some], ways, self.atoms)

    @property
    def verdict(self) -> str:
        """Whether the crystal is ordered at the temperature, as far as the orderings found tell, in words."""
        some, at = self._weighted, f"{self.temperature:g} K"
        if len(some) < 2:
            found = "Only one ordering" if some else "No ordering"
            return f"{found} was found that can be weighed, which does not tell whether the crystal orders."
        lowest = some[0].weight or 0.0
        said = f"At {at} the lowest of {len(some)} orderings found has {100 * lowest:.3g} % of the weight: "
        if lowest >= _ORDERED:
            said += "ordered, as far as these tell"
        elif lowest >= _HALF:
            said += "mostly ordered, as far as these tell"
        else:
            said += f"disordered, {self._sharing()} orderings having nine tenths of it together"
        half = self.half_temperature
        if half is None:
            said += ". It keeps more than half at any temperature."
        elif half == 0.0:
            said += ". It has less than half at any temperature."
        else:
            said += f". It falls below half at {half:.0f} K."
        own = some[0].relation
        if own is not None and own.off > _STRAY * own.atoms:
            said += " Many of its atoms stand on no average site, so that weights say little."
        return said

    def as_dict(self) -> dict[str, Any]:
        """Return what the answer says as plain data."""
        return {
            "parent": self.parent,
            "parent_symbol": _symbol(self.parent),
            "temperature": self.temperature,
            "level": self.level,
            "atoms": self.atoms,
            "n_distinct": len(self.crystals),
            "spread": self.spread,
            "half_temperature": self.half_temperature,
            "verdict": self.verdict,
            "orderings": self.table(),
            "sublattices": [own.as_dict() for own in self.sublattices],
        }

    def table(self) -> list[dict[str, Any]]:
        """Return a row for each distinct ordered crystal, the lowest first, as plain data."""
        return [_row(c, self.level) for c in self.crystals]

    def __repr__(self) -> str:
        rows = [
            f"  {c.candidate.id}: {_symbol(c.candidate.space_group_loose)}, index {_ways(c.relation)}, "
            + ("of another composition" if c.above is None else f"{c.above:.1f} meV/atom above the lowest")
            for c in self.crystals
        ]
        return "\n".join([f"OrderAnswer({_symbol(self.parent)}: {self.verdict}", *rows]) + ")"

    @property
    def _weighted(self) -> list[OrderedCrystal]:
        return [c for c in self.crystals if c.weight is not None]

    def _sharing(self) -> int:
        """Return how many orderings have nine tenths of the weight together."""
        total = 0.0
        for count, weight in enumerate(sorted((c.weight or 0.0 for c in self._weighted), reverse=True), 1):
            total += weight
            if total >= _ORDERED:
                return count
        return len(self._weighted)


def _row(crystal: OrderedCrystal, level: str | None) -> dict[str, Any]:
    """Return what is said of an ordered crystal as plain data."""
    c, own = crystal.candidate, crystal.relation
    related = None
    if own is not None:
        shares = [named_shares(each) for each in own.shares]
        related = asdict(own) | {"index": own.index, "cells": own.cells, "shares": shares}
    return {
        "id": c.id,
        "formula": c.formula,
        "above": crystal.above,
        "weight": crystal.weight,
        "energy": _energy(c, level),
        "e_decomposition": c.decomposition_energies.get(level or ""),
        "space_group": c.space_group_loose,
        "group": _symbol(c.space_group_loose),
        "group_on_sites": None if own is None else _symbol(own.group),
        "relation": related,
    }


def _relation(average: AverageCrystal, candidate: Candidate) -> OrderingRelation | None:
    if candidate.raw is None or candidate.structure is None:
        return None
    return average.relation(candidate.raw, candidate.structure)


def _ways(relation: OrderingRelation | None) -> int | None:
    """Return in how many ways an ordering may lie in the average crystal; None where that is not known."""
    return None if relation is None else relation.index


def _energy(candidate: Candidate, level: str | None) -> float:
    return candidate.energies[level or ""]


def _symbol(number: int | None) -> str | None:
    return None if number is None else symbol_of(number)
