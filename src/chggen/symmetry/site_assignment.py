"""OrbitPlan: which subgroup the guests' counts fit, which orbits the guests take, and where on them they start."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import Final

import numpy as np
from jaxtyping import Float, Int

from chggen.errors import InputError
from chggen.symmetry.free_volume import FreeVolume
from chggen.symmetry.group import Group
from chggen.symmetry.orbits import Orbits, host_orbits
from chggen.symmetry.subgroup_choice import ASSIGNMENTS, Choice
from chggen.symmetry.subgroup_positions import in_subgroup
from chggen.symmetry.wyckoff import WyckoffPosition

_PLACINGS: Final = 20  # how many assignments, and how many points of each orbit, are tried for room
_COLUMNS: Final = ("frac", "representative", "rotations", "translations", "free")


@dataclass(frozen=True, eq=False)
class OrbitPlan:
    """How to put the guests of a cell on orbits. Each draw takes one of the choices and fills it.

    A draw first takes one of the subgroup orders among the choices, then one of the choices of that order, both with
    equal probabilities.

    Attributes:
        around: The cell, its host atoms, and the guests.
        choices: Subgroups whose positions can hold the guests.
        pairs: Position and species of each orbit, as indices into the first choice's positions and into the guests,
            where these are known. Otherwise empty, and each draw assigns the guests itself.
        points: Representative of each orbit in `pairs`, in fractional coordinates of shape (3,), where it is known.
            Otherwise empty.
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
        """Make a plan of orbits that are known, such as those of a prototype. Every draw is the same.

        Args:
            around: The cell, its host atoms, and the guests.
            group: The group of the cell.
            positions: Its Wyckoff positions.
            pairs: For each orbit the index of its position, and of its species in the order of `around.guests`.
            free: Free coordinates of each orbit, as `WyckoffPosition.parameters` gives them.

        Returns:
            The plan.
        """
        whole = Choice(group, np.arange(len(group)), positions, np.ones((len(positions), len(around.guests))))
        points = tuple(positions[p].at(s) for (p, _), s in zip(pairs, free, strict=True))
        return cls(around, (whole,), tuple(pairs), points)

    def with_letters(self, letters: Sequence[str]) -> OrbitPlan | None:
        """Fix which positions of the first choice the guests take. Where on them they start is still drawn.

        Args:
            letters: For each guest species the Wyckoff letters of its orbits, such as `"ac"` for one orbit on a and
                one on c.

        Returns:
            The plan with these positions. None where a letter is unknown or the sites do not add up to the counts.
        """
        of = {position.letter: k for k, position in enumerate(self.choices[0].positions)}
        if any(letter not in of for text in letters for letter in text):
            return None
        pairs = tuple((of[letter], s) for s, text in enumerate(letters) for letter in text)
        held = [0] * len(letters)
        for p, s in pairs:
            held[s] += self.choices[0].positions[p].multiplicity
        return replace(self, pairs=pairs) if held == list(self.around.guests.values()) else None

    def draw(self, seed: int) -> Orbits:
        """Draw orbits for the guests and a start on each.

        Up to 20 assignments of guests to positions are placed. The first in which every orbit has room is taken,
        else the one whose closest contact is widest. Where the points are known, they are the same in every draw.

        Args:
            seed: Seed of the draw.

        Returns:
            The orbits of all atoms, host atoms first, then the guests in the order of their species.

        Raises:
            InputError: No assignment was found. This can happen with several species, which are assigned by chance.
        """
        if self.points:
            return self._orbits(self.choices[0], self.pairs, self.points)
        rng = np.random.default_rng(seed)
        best, widest = None, -1.0
        counts = list(self.around.guests.values())
        orders = list(dict.fromkeys(len(choice.members) for choice in self.choices))
        order = orders[int(rng.integers(len(orders)))]
        same = [choice for choice in self.choices if len(choice.members) == order]
        choice = same[int(rng.integers(len(same)))]
        placings = 0
        for _ in range(ASSIGNMENTS):
            pairs = self.pairs or choice.assignment(counts, rng)
            if pairs is None:
                continue
            placings += 1
            points, contact = self._placed(choice, pairs, rng)
            if contact > widest:
                best, widest = (pairs, points), contact
            if widest >= 1 or placings == _PLACINGS:
                break
        if best is None:  # counts that fit may still find no assignment by chance
            raise InputError(f"counts {', '.join(map(str, counts))} found no orbits; try another seed or symmetry none")
        return self._orbits(choice, *best)

    def _placed(
        self, choice: Choice, pairs: Sequence[tuple[int, int]], rng: np.random.Generator
    ) -> tuple[list[np.ndarray], float]:
        """Draw a point for each orbit; return the points and the closest contact as a share of what is allowed.

        Orbits with fewer free coordinates go first, because they have fewer places to avoid the others.
        """
        numbers = list(self.around.guests)
        frac, held = self.around.frac, self.around.numbers
        points: list[np.ndarray] = [np.zeros(3)] * len(pairs)
        closest = np.inf
        for k in sorted(range(len(pairs)), key=lambda k: choice.positions[pairs[k][0]].freedom):
            position, z = choice.positions[pairs[k][0]], numbers[pairs[k][1]]
            tries = self.around.tries(position, z, _PLACINGS, rng)
            contact = self.around.contact(choice.group, position, z, tries, frac, held)
            free = np.flatnonzero(contact >= 1)
            chosen = int(free[0]) if len(free) else int(contact.argmax())
            closest = min(closest, float(contact[chosen]))
            points[k] = tries[chosen]
            sites = position.sites(choice.group, tries[chosen][None])[0]
            frac, held = np.concatenate([frac, sites]), np.concatenate([held, np.full(len(sites), z)])
        return points, closest

    def _orbits(self, choice: Choice, pairs: Sequence[tuple[int, int]], points: Sequence[np.ndarray]) -> Orbits:
        """Return the orbits of all atoms, given position, species and point of each guest orbit."""
        group = choice.group
        parts = [self._host_orbits[self.choices.index(choice)]]
        order = sorted(range(len(pairs)), key=lambda k: pairs[k][1])  # guests of a species stand together
        start = len(self.around.frac)
        for k in order:
            position = choice.positions[pairs[k][0]]
            ops, m = position.operations, position.multiplicity
            # The first site represents the orbit. The others are reached by going back to the point and on from there.
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
        """Orbits of the host atoms under each choice, which are the same in every draw."""
        return tuple(host_orbits(self.around, choice.group, choice.members) for choice in self.choices)

    def _described(self, choice: Choice, pairs: Sequence[tuple[int, int]]) -> str:
        """Return the positions of each species as text, such as `Li 8c; Na 4b`."""
        from ase.data import chemical_symbols

        texts = []
        for s, same in groupby(pairs, lambda pair: pair[1]):
            taken = sorted(f"{choice.positions[p].multiplicity}{choice.positions[p].letter}" for p, _ in same)
            texts.append(f"{chemical_symbols[list(self.around.guests)[s]]} {' '.join(taken)}")
        return "; ".join(texts)


def plan_orbits(
    around: FreeVolume,
    group: Group,
    positions: tuple[WyckoffPosition, ...],
    subgroups: Iterable[Int[np.ndarray, "_"]] | None = None,
) -> OrbitPlan | None:
    """Plan the guests' orbits in the first subgroup that their counts fit.

    Further subgroups of the same order that directly follow the first and fit too become choices of the plan as well.

    Args:
        around: The cell, its host atoms, and the guests.
        group: The group of the host, or of the empty cell.
        positions: Its Wyckoff positions.
        subgroups: Members of the subgroups to try, in order, each of shape (members,). None tries all subgroups above
            P1 and P-1 in the order of `Group.subgroups`.

    Returns:
        The plan, or None where the counts fit none of the subgroups.
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


def _adds_up(positions: Sequence[WyckoffPosition], count: int) -> bool:
    """Return whether multiplicities can add up to a count, whatever the room.

    This quick test rules out most subgroups.
    """
    reached = np.eye(1, count + 1, dtype=bool)[0]
    for position in positions:
        m = position.multiplicity
        for _ in range(min(1, count // m) if position.freedom == 0 else count // m):
            reached[m:] |= reached[: count + 1 - m]
    return bool(reached[count])
