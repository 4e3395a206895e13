"""A network that says which space group and Wyckoff positions a composition has, one orbit after the other.

p(group | composition) Π p(position of orbit j | group, composition, orbits before j): a small transformer whose tokens
are the species, then the orbits. Species come in rising electronegativity, positions of a species in the order of their
letters, so that each assignment is one sequence. What cannot be completed is never drawn. Trained by train_wyckoff.py,
measured by templates.py.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from pymatgen.core import Element
from torch import nn

MOST_ATOMS, MOST_ORBITS, MOST_POSITIONS = 48, 26, 27
_CLASSES = {(1, 3): 0, (1, 2): 1, (1, 1): 2, (1, 0): 3, (1, -1): 4,
            (-1, -3): 5, (-1, -2): 6, (-1, -1): 7, (-1, 0): 8, (-1, 1): 9}  # fmt: skip  # determinant and trace
Orbits = list[tuple[int, int]]
"""For each orbit the index of its species, and of its position among those of the group."""


@dataclass(frozen=True)
class Positions:
    """The Wyckoff positions of all groups, one after the other; those of group g from start[g] to start[g + 1].

    letters: for each group; multiplicity: in the primitive cell; freedom: number of free coordinates; operations: how
    many operations of each class leave a site in place.
    """

    start: np.ndarray
    letters: tuple[str, ...]
    multiplicity: np.ndarray
    freedom: np.ndarray
    operations: np.ndarray

    @staticmethod
    def of_all_groups() -> Positions:
        """Read them from the tables; takes a minute."""
        from chggen.symmetry import setting

        start, letters, rows = [0, 0], [""], []
        for number in range(1, 231):
            own = setting(number)
            ordered = sorted(own.positions, key=lambda p: (p.letter == "A", p.letter))  # A comes after z
            letters.append("".join(p.letter for p in ordered))
            for p in ordered:
                classes = np.zeros(10, dtype=int)
                for rotation in own.group.rotations[p.stabiliser]:
                    classes[_CLASSES[round(np.linalg.det(rotation)), int(np.trace(rotation))]] += 1
                rows.append((p.multiplicity, p.freedom, classes))
            start.append(len(rows))
        multiplicity, freedom, operations = (np.array(column) for column in zip(*rows, strict=True))
        return Positions(np.array(start), tuple(letters), multiplicity, freedom, operations)

    def of(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Multiplicities and freedoms of the positions of a group."""
        part = slice(self.start[number], self.start[number + 1])
        return self.multiplicity[part], self.freedom[part]

    def template(self, number: int, species: Sequence[int], orbits: Orbits) -> tuple[Any, ...]:
        """What is the same for equivalent assignments: group, and element, multiplicity and symmetry of each site."""
        of = [(species[s], self.start[number] + k) for s, k in orbits]
        return number, tuple(sorted((z, int(self.multiplicity[p]), tuple(self.operations[p].tolist())) for z, p in of))


@dataclass(frozen=True)
class Assigned:
    """A crystal as a sequence: its group, species (atomic numbers) with their counts, and orbits."""

    number: int
    species: tuple[int, ...]
    counts: tuple[int, ...]
    orbits: tuple[tuple[int, int], ...]

    @staticmethod
    def of(positions: Positions, number: int, counts: Mapping[int, int], letters: Mapping[int, str]) -> Assigned | None:
        """Of counts and letters by atomic number; None where it is P1, too large, or does not add up."""
        species = ordered(counts)
        known = positions.letters[number]
        orbits = tuple((s, known.find(w)) for s, z in enumerate(species) for w in sorted(letters[z], key=known.find))
        fits = number > 1 and sum(counts.values()) <= MOST_ATOMS and len(orbits) <= MOST_ORBITS and max(counts) < 104
        if not fits or any(k < 0 for _, k in orbits):
            return None
        held, (multiplicity, _) = [0] * len(species), positions.of(number)
        for s, k in orbits:
            held[s] += int(multiplicity[k])
        wanted = tuple(counts[z] for z in species)
        return Assigned(number, species, wanted, orbits) if tuple(held) == wanted else None


def ordered(counts: Mapping[int, int]) -> tuple[int, ...]:
    """Atomic numbers by electronegativity."""
    return tuple(sorted(counts, key=lambda z: (_electronegativity(z), z)))


@lru_cache(maxsize=128)
def _electronegativity(z: int) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chi = Element.from_Z(z).X
    return chi if chi > 0 else 5.0


def _features() -> np.ndarray:
    """What is known of each element, of shape (104, 8)."""
    found = np.zeros((104, 8))
    for z in range(1, 104):
        e = Element.from_Z(z)
        kinds = (e.is_transition_metal, e.is_rare_earth, e.is_metal, e.is_halogen or e.is_chalcogen)
        found[z] = (_electronegativity(z) / 4, float(e.atomic_radius or 1.5) / 2, e.row / 7, e.group / 18, *kinds)
    return found


class WyckoffNetwork(nn.Module):
    """The network; see the module. Positions are kept with the weights, so that no table is read to use it."""

    def __init__(self, positions: Positions, width: int = 96, layers: int = 3, heads: int = 4, dropout: float = 0.1):
        super().__init__()
        self.positions, self.width = positions, width
        self.element, self.known_element = nn.Embedding(104, width), nn.Linear(8, width)
        self.amount = nn.Sequential(nn.Linear(6, width), nn.SiLU(), nn.Linear(width, width))
        self.group, self.whole = nn.Embedding(231, width), nn.Parameter(torch.zeros(width))
        n = len(positions.multiplicity)
        kinds = np.log2(positions.multiplicity)[:, None] / 4, np.eye(4)[positions.freedom]
        about = np.concatenate([*kinds, np.log2(1 + positions.operations)], axis=1)
        about = np.concatenate([np.zeros((1, about.shape[1])), about])
        self.taken, self.known_taken = nn.Embedding(n + 1, width, padding_idx=0), nn.Linear(about.shape[1], width)
        self.offered, self.known_offered = nn.Embedding(n + 1, width, padding_idx=0), nn.Linear(about.shape[1], width)
        nn.init.normal_(self.offered.weight, std=0.02)
        self.left, self.before = nn.Embedding(MOST_ATOMS + 1, width), nn.Linear(width, width)
        layer = nn.TransformerEncoderLayer(width, heads, 2 * width, dropout, "gelu", batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.to_group = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, 231))
        self.to_position = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width))
        self.register_buffer("_start", torch.tensor(positions.start), persistent=False)
        self.register_buffer("_about", torch.tensor(about, dtype=torch.float32), persistent=False)
        self.register_buffer("_elements", torch.tensor(_features(), dtype=torch.float32), persistent=False)

    def forward(self, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits of the group (batch, 231), and of the position of each orbit (batch, orbits, MOST_POSITIONS)."""
        species, mask = self._species(batch["species"], batch["counts"])
        (n, s), o = batch["species"].shape, batch["now"].shape[1]
        before = self.taken(batch["before"]) + self.known_taken(self._about[batch["before"]])
        steps = self.group(batch["number"])[:, None] + self._element(batch["now"]) + self.left(batch["left"])
        steps = steps + self.before(before + self._element(batch["of_before"]))
        tokens = torch.cat([species, self.whole.expand(n, 1, self.width), steps], dim=1)
        hidden = torch.ones(s + 1 + o, s + 1 + o, dtype=torch.bool)  # what a token does not see
        hidden[:, : s + 1] = False
        hidden[s + 1 :, s + 1 :] = torch.triu(torch.ones(o, o, dtype=torch.bool), 1)
        padding = torch.cat([~mask, torch.zeros(n, 1, dtype=torch.bool), batch["now"] == 0], dim=1)
        found = self.layers(tokens, mask=hidden, src_key_padding_mask=padding)
        start, end = self._start[batch["number"]], self._start[batch["number"] + 1]
        index = start[:, None] + torch.arange(MOST_POSITIONS) + 1
        index = torch.where(index <= end[:, None], index, 0)
        offered = self.offered(index) + self.known_offered(self._about[index])
        scale = 4 / math.sqrt(self.width)
        positions = torch.einsum("bow,bpw->bop", self.to_position(found[:, s + 1 :]), offered) * scale
        return self.to_group(found[:, s]), positions.masked_fill(~batch["allowed"], -1e9)

    def _element(self, z: torch.Tensor) -> torch.Tensor:
        return self.element(z) + self.known_element(self._elements[z])

    def _species(self, z: torch.Tensor, counts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mask, atoms = z > 0, counts.sum(dim=1, keepdim=True)
        units = torch.tensor([[math.gcd(*map(int, row))] for row in counts.tolist()])
        kinds = torch.log2(mask.sum(dim=1, keepdim=True).float())
        about = (counts / atoms, torch.log2(counts.clamp(min=1)) / 4, torch.log2((counts / units).clamp(min=1)) / 4,
                 torch.log2(units.float()) / 3, torch.log2(atoms) / 5, kinds)  # fmt: skip
        return self._element(z) + self.amount(torch.stack([a.expand_as(counts) for a in about], dim=-1)), mask


def batch_of(positions: Positions, crystals: Sequence[Assigned]) -> dict[str, torch.Tensor]:
    """Crystals as tensors; `position` is what each orbit takes, -1 where there is none."""
    n, s, o = len(crystals), max(len(c.species) for c in crystals), max(len(c.orbits) for c in crystals)
    whole = {name: np.zeros((n, o), dtype=int) for name in ("now", "left", "before", "of_before")}
    found = {"species": np.zeros((n, s), dtype=int), "counts": np.zeros((n, s), dtype=np.float32), **whole}
    found |= {"position": np.full((n, o), -1), "allowed": np.zeros((n, o, MOST_POSITIONS), dtype=bool)}
    found["number"] = np.array([c.number for c in crystals])
    for b, c in enumerate(crystals):
        found["species"][b, : len(c.species)], found["counts"][b, : len(c.species)] = c.species, c.counts
        part, state = len(positions.of(c.number)[0]), State(positions, c.number, c.counts)
        for j, (s, k) in enumerate(c.orbits):
            state.turn_to(s)
            found["now"][b, j], found["left"][b, j] = c.species[s], state.left[s]
            found["allowed"][b, j, :part], found["position"][b, j] = state.allowed(), k
            if j:
                found["before"][b, j] = positions.start[c.number] + c.orbits[j - 1][1] + 1
                found["of_before"][b, j] = c.species[c.orbits[j - 1][0]]
            state.take(k)
    return {name: torch.from_numpy(values) for name, values in found.items()}


class State:
    """Which positions are taken, and how many atoms of each species are left."""

    def __init__(self, positions: Positions, number: int, counts: Sequence[int]) -> None:
        self.multiplicity, self.freedom = positions.of(number)
        self.left = list(counts)
        self.species = self.first = 0
        self.used = np.zeros(len(self.multiplicity), dtype=bool)

    def turn_to(self, species: int) -> None:
        """Go on to a species."""
        if species != self.species:
            self.species, self.first = species, 0

    def take(self, k: int) -> None:
        """Put an orbit of the species on a position."""
        self.left[self.species] -= int(self.multiplicity[k])
        self.used[k], self.first = True, k

    def allowed(self) -> np.ndarray:
        """Which positions may be next, without a look ahead."""
        room = (self.multiplicity <= self.left[self.species]) & ~(self.used & (self.freedom == 0))
        return room & (np.arange(len(room)) >= self.first)

    def completable(self) -> np.ndarray:
        """Which of these leave a way to place the rest of the species."""
        left, room = self.left[self.species], self.allowed()
        n = len(room)
        ways = np.zeros((n + 1, left + 1), dtype=bool)  # ways[k, r]: r atoms fit the positions from k on
        ways[:, 0] = True
        for k in range(n - 1, self.first - 1, -1):
            m = int(self.multiplicity[k])
            ways[k] = ways[k + 1]
            if self.freedom[k]:
                for r in range(m, left + 1):
                    ways[k, r] |= ways[k, r - m]
            elif not self.used[k] and m <= left:
                ways[k, m:] |= ways[k + 1, :-m]
        rest = left - self.multiplicity
        return np.array([room[k] and ways[k if self.freedom[k] else k + 1, rest[k]] for k in range(n)])


@torch.no_grad()
def drawn(
    network: WyckoffNetwork, counts: Mapping[int, int], n: int, rng: np.random.Generator, temperature: float = 1.0
) -> list[tuple[int, Orbits]]:
    """Draw assignments of a composition: group and orbits of each, at most n; those in a dead end are left out."""
    network.eval()
    positions, species = network.positions, ordered(counts)
    wanted = [counts[z] for z in species]
    whole = {"species": torch.tensor([species]), "counts": torch.tensor([wanted], dtype=torch.float32)}
    empty = {name: torch.zeros(1, 1, dtype=torch.long) for name in ("now", "left", "before", "of_before")}
    mask = torch.ones(1, 1, MOST_POSITIONS, dtype=torch.bool)
    logits, _ = network({**whole, **empty, "number": torch.ones(1, dtype=torch.long), "allowed": mask})
    odds = torch.softmax(logits[0].double() / temperature, dim=0).numpy()
    fits = np.array([number > 1 and _fits(positions, number, wanted) for number in range(231)])
    odds = np.where(fits, odds, 0.0)
    numbers = rng.choice(231, size=n, p=odds / odds.sum())
    states = [State(positions, int(number), wanted) for number in numbers]
    taken: list[Orbits] = [[] for _ in range(n)]
    steps: list[list[tuple[int, int, int, int]]] = [[] for _ in range(n)]
    active, ended = list(range(n)), []
    while active:
        allowed = {i: states[i].completable() for i in active}
        active = [i for i in active if allowed[i].any() and len(taken[i]) < MOST_ORBITS]
        if not active:
            break
        for i in active:
            s, before = states[i].species, taken[i][-1] if taken[i] else None
            last = (0, 0) if before is None else (positions.start[numbers[i]] + before[1] + 1, species[before[0]])
            steps[i].append((species[s], states[i].left[s], *last))
        columns = torch.tensor(np.array([steps[i] for i in active], dtype=np.int64)).unbind(dim=2)
        masks = np.zeros((len(active), len(taken[active[0]]) + 1, MOST_POSITIONS), dtype=bool)
        for row, i in enumerate(active):
            masks[row, -1, : len(allowed[i])] = allowed[i]
        _, logits = network({
            **{name: value.expand(len(active), -1) for name, value in whole.items()},
            **dict(zip(("now", "left", "before", "of_before"), columns, strict=True)),
            "number": torch.tensor(numbers[active]), "allowed": torch.from_numpy(masks),
        })  # fmt: skip
        odds = torch.softmax(logits[:, -1].double() / temperature, dim=1).numpy()
        for i, own in zip(list(active), odds, strict=True):
            state = states[i]
            k = int(rng.choice(len(own), p=own / own.sum()))
            taken[i].append((state.species, k))
            state.take(k)
            if state.left[state.species] == 0:
                if state.species + 1 == len(species):
                    ended.append(i)
                    active.remove(i)
                else:
                    state.turn_to(state.species + 1)
    return [(int(numbers[i]), taken[i]) for i in sorted(ended)]


def _fits(positions: Positions, number: int, counts: Sequence[int]) -> bool:
    """Whether each species by itself fits a group."""
    state = State(positions, number, counts)
    for s in range(len(counts)):
        state.turn_to(s)
        if not state.completable().any():
            return False
    return True
