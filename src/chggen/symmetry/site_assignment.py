"""Choosing the orbits that guests sit on: which subgroup their counts fit, which positions, and where on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby, islice
from math import exp, factorial, lgamma, log
from typing import Final

import numpy as np
from jaxtyping import Float, Int

from chggen.errors import InputError
from chggen.symmetry.free_volume import FreeVolume
from chggen.symmetry.group import Group
from chggen.symmetry.orbits import Orbits, host_orbits
from chggen.symmetry.wyckoff import WyckoffPosition, in_subgroup

_ASSIGNMENTS: Final = 200  # draws before counts are said not to fit
_PLACINGS: Final = 20  # assignments, and points of each orbit, that are tried for room
_NEARBY: Final = 300  # counts that are looked at for some that fit, of those not much different
_LARGEST_FACTORIAL: Final = 170  # of a number, that a float holds


@dataclass(frozen=True, eq=False)
class Choice:
    """A group whose positions can hold the guests: operations and positions, and how free those are.

    room[p, s]: share of the points of position p at which guest species s has room; 0 closes it.
    """

    group: Group
    members: Int[np.ndarray, "members"]
    positions: tuple[WyckoffPosition, ...]
    room: Float[np.ndarray, "positions species"]

    def assignment(self, counts: Sequence[int], rng: np.random.Generator) -> list[tuple[int, int]] | None:
        """Pairs of position and species that hold the counts, drawn by multiplicity and room; None: not this time."""
        taken = np.zeros(len(self.positions), dtype=bool)
        pairs: list[tuple[int, int]] = []
        for s in rng.permutation(len(counts)):
            drawn = self._drawn(counts[s], np.where(taken, 0.0, self.room[:, s]), rng)
            if drawn is None:
                return None
            for p, n in enumerate(drawn):
                taken[p] |= n > 0 and self.positions[p].freedom == 0
                pairs += [(p, int(s))] * n
        return pairs

    def fits(self, counts: Sequence[int]) -> bool:
        """Whether the counts fit at all."""
        rng = np.random.default_rng(0)
        tries = 1 if len(counts) == 1 else _ASSIGNMENTS  # one species is decided exactly
        return any(self.assignment(counts, rng) is not None for _ in range(tries))

    def _drawn(self, count: int, room: np.ndarray, rng: np.random.Generator) -> list[int] | None:
        """How often each position is taken by a species: P ∝ Π wⁿ/n! over all ways that hold exactly the count."""
        ways = [np.eye(1, count + 1)[0]]  # ways[-1 - k][c]: weight of holding c by the last k positions
        terms = []
        for position, share in zip(reversed(self.positions), reversed(room), strict=True):
            m = position.multiplicity
            most = 0 if share <= 0 else 1 if position.freedom == 0 else count // m
            weight = [_poisson(m * share, n) for n in range(most + 1)]
            terms.append(weight)
            total = np.zeros(count + 1)
            for n in range(min(most, count // m) + 1):
                total[n * m :] += weight[n] * ways[-1][: count + 1 - n * m]
            ways.append(total / max(total.max(), 1e-300))
        if ways[-1][count] <= 0:
            return None
        left, drawn = count, []
        for k, position in enumerate(self.positions):
            below, weight, m = ways[-2 - k], terms[-1 - k], position.multiplicity
            p = np.array([w * below[left - n * m] if n * m <= left else 0.0 for n, w in enumerate(weight)])
            n = int(rng.choice(len(p), p=p / p.sum()))
            drawn.append(n)
            left -= n * m
        return drawn


@dataclass(frozen=True, eq=False)
class OrbitPlan:
    """How to put guests on orbits: each draw takes one of the choices and fills it.

    Choices of one order are equally good, and so are the orders.
    pairs: position and species of each orbit, where they are given and not to be drawn; points: on those positions.
    """

    around: FreeVolume
    choices: tuple[Choice, ...]
    pairs: tuple[tuple[int, int], ...] = ()
    points: tuple[Float[np.ndarray, "3"], ...] = ()

    @classmethod
    def known(
        cls,
        around: FreeVolume,
        group: Group,
        positions: tuple[WyckoffPosition, ...],
        pairs: Sequence[tuple[int, int]],
        free: Sequence[Sequence[float]],
    ) -> OrbitPlan:
        """Orbits that are known: position, species and free coordinates (WyckoffPosition.parameters) of each."""
        whole = Choice(group, np.arange(len(group)), positions, np.ones((len(positions), len(around.guests))))
        points = tuple(positions[p].at(s) for (p, _), s in zip(pairs, free, strict=True))
        return cls(around, (whole,), tuple(pairs), points)

    def with_letters(self, letters: Sequence[str]) -> OrbitPlan | None:
        """The plan with these positions (a letter for each orbit) of each species; None where the counts differ."""
        of = {position.letter: k for k, position in enumerate(self.choices[0].positions)}
        if any(letter not in of for text in letters for letter in text):
            return None
        pairs = tuple((of[letter], s) for s, text in enumerate(letters) for letter in text)
        held = [0] * len(letters)
        for p, s in pairs:
            held[s] += self.choices[0].positions[p].multiplicity
        return replace(self, pairs=pairs) if held == list(self.around.guests.values()) else None

    def draw(self, seed: int) -> Orbits:
        """Orbits of all atoms, guests in the order of their species, at a random start with room around each.

        Where the points are known, they are the same in every draw.
        """
        if self.points:
            return self._orbits(self.choices[0], self.pairs, self.points)
        rng = np.random.default_rng(seed)
        best, least = None, -1.0
        counts = list(self.around.guests.values())
        orders = list(dict.fromkeys(len(choice.members) for choice in self.choices))
        order = orders[int(rng.integers(len(orders)))]
        same = [choice for choice in self.choices if len(choice.members) == order]
        choice = same[int(rng.integers(len(same)))]
        placings = 0
        for _ in range(_ASSIGNMENTS):
            pairs = self.pairs or choice.assignment(counts, rng)
            if pairs is None:
                continue
            placings += 1
            points, closeness = self._placed(choice, pairs, rng)
            if closeness > least:
                best, least = (pairs, points), closeness
            if least >= 1 or placings == _PLACINGS:
                break
        if best is None:  # counts that fit are found by chance, too
            raise InputError(f"counts {', '.join(map(str, counts))} found no orbits; try another seed or symmetry none")
        return self._orbits(choice, *best)

    def _placed(
        self, choice: Choice, pairs: Sequence[tuple[int, int]], rng: np.random.Generator
    ) -> tuple[list[np.ndarray], float]:
        """A point for each orbit, and the closest contact over its limit; fixed points first, they have no choice."""
        numbers = list(self.around.guests)
        frac, held = self.around.frac, self.around.numbers
        points: list[np.ndarray] = [np.zeros(3)] * len(pairs)
        closest = np.inf
        for k in sorted(range(len(pairs)), key=lambda k: choice.positions[pairs[k][0]].freedom):
            position, z = choice.positions[pairs[k][0]], numbers[pairs[k][1]]
            tries = position.points(_PLACINGS if position.freedom else 1, rng)
            contact = self.around.contact(choice.group, position, z, tries, frac, held)
            free = np.flatnonzero(contact >= 1)
            chosen = int(free[0]) if len(free) else int(contact.argmax())
            closest = min(closest, float(contact[chosen]))
            points[k] = tries[chosen]
            sites = position.sites(choice.group, tries[chosen][None])[0]
            frac, held = np.concatenate([frac, sites]), np.concatenate([held, np.full(len(sites), z)])
        return points, closest

    def _orbits(self, choice: Choice, pairs: Sequence[tuple[int, int]], points: Sequence[np.ndarray]) -> Orbits:
        group = choice.group
        parts = [self._host_orbits[self.choices.index(choice)]]
        order = sorted(range(len(pairs)), key=lambda k: pairs[k][1])  # guests of a species stand together
        start = len(self.around.frac)
        for k in order:
            position = choice.positions[pairs[k][0]]
            ops, m = position.operations, position.multiplicity
            # The representative is the first site, from which the others are reached by way of the point.
            first = group.rotations[ops[0]]
            back = np.round(np.linalg.inv(first))
            rotations = group.rotations[ops] @ back
            shifts = group.translations[ops] - rotations @ group.translations[ops[0]]
            sites = position.sites(group, points[k][None])[0]
            free = first @ group.rotations[position.stabiliser].mean(axis=0) @ back
            parts.append(Orbits(sites, np.full(m, start), rotations, shifts, np.broadcast_to(free, (m, 3, 3))))
            start += m
        columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS}
        return Orbits(**columns, described=self._described(choice, [pairs[k] for k in order]))

    @cached_property
    def _host_orbits(self) -> tuple[Orbits, ...]:
        """Those of the host's atoms under each choice, the same in every draw."""
        return tuple(host_orbits(self.around, choice.group, choice.members) for choice in self.choices)

    def _described(self, choice: Choice, pairs: Sequence[tuple[int, int]]) -> str:
        """Positions by species, `Li 8c; Na 4b`."""
        from ase.data import chemical_symbols

        texts = []
        for s, same in groupby(pairs, lambda pair: pair[1]):
            taken = sorted(f"{choice.positions[p].multiplicity}{choice.positions[p].letter}" for p, _ in same)
            texts.append(f"{chemical_symbols[list(self.around.guests)[s]]} {' '.join(taken)}")
        return "; ".join(texts)


_COLUMNS: Final = ("frac", "representative", "rotations", "translations", "free")


def plan_orbits(
    around: FreeVolume,
    group: Group,
    positions: tuple[WyckoffPosition, ...],
    subgroups: Iterable[Int[np.ndarray, "_"]] | None = None,
) -> OrbitPlan | None:
    """The plan for the first of the subgroups that the counts fit: those above P1 and P-1, as Group.subgroups has them.

    Those of the same order that fit as well are choices of the plan too. subgroups: the members of others, to be looked
    at in their place. None: no group fits.
    """
    counts = list(around.guests.values())
    found: list[Choice] = []
    for members in group.subgroups() if subgroups is None else subgroups:
        if found and len(members) != len(found[0].members):
            break
        own = in_subgroup(group, positions, members)
        if all(_adds_up(own, count) for count in counts):
            choice = Choice(group, members, own, around.room(group, own))
            if choice.fits(counts):
                found.append(choice)
    return OrbitPlan(around, tuple(found)) if found else None


def nearest_counts(
    around: FreeVolume, group: Group, positions: tuple[WyckoffPosition, ...], most: int = 3
) -> list[tuple[int, ...]]:
    """Counts near those asked for, in the order of the guests, that do fit a subgroup above P1 and P-1."""
    counts = list(around.guests.values())
    subgroups = [(members, in_subgroup(group, positions, members)) for members in group.subgroups()]
    choices = [Choice(group, members, own, around.room(group, own)) for members, own in subgroups]
    found: list[tuple[int, ...]] = []
    for near in islice(_by_distance(counts), _NEARBY):
        if any(choice.fits(near) for choice in choices):
            found.append(tuple(near))
        if len(found) == most:
            break
    return sorted(found)


def _by_distance(counts: Sequence[int], reach: int = 8) -> Iterator[list[int]]:
    """Positive counts around the given ones, the nearest first, up to so many atoms more and less in all."""
    for distance in range(1, reach + 1):
        for step in _steps(len(counts), distance):
            near = [c + d for c, d in zip(counts, step, strict=True)]
            if min(near) > 0:
                yield near


def _steps(n: int, distance: int) -> Iterator[tuple[int, ...]]:
    """Tuples of n whole numbers, in order, whose sizes add up to the distance."""
    if n == 0:
        yield from [()] if distance == 0 else []
        return
    for first in range(-distance, distance + 1):
        yield from ((first, *rest) for rest in _steps(n - 1, distance - abs(first)))


def _adds_up(positions: Sequence[WyckoffPosition], count: int) -> bool:
    """Whether multiplicities add up to a count, wherever there is room: a quick answer for most subgroups."""
    reached = np.eye(1, count + 1, dtype=bool)[0]
    for position in positions:
        m = position.multiplicity
        for _ in range(min(1, count // m) if position.freedom == 0 else count // m):
            reached[m:] |= reached[: count + 1 - m]
    return bool(reached[count])


def _poisson(x: float, n: int) -> float:
    """xⁿ/n!, for n whose factorial no float holds, too."""
    return x**n / factorial(n) if n <= _LARGEST_FACTORIAL else exp(n * log(x) - lgamma(n + 1))
