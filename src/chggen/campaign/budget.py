"""What a run makes next: which formulas, cell sizes and seed sources its candidates come from, round by round.

A round is a fixed stretch of candidates. What is learnt changes between rounds only, and from complete ones, so a
resumed run asks for the very same candidates.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from chggen.campaign.options import GenerateOptions, PredictOptions
from chggen.crystals import compositions, parse_formula, reduced, system_elements
from chggen.errors import InputError
from chggen.generation import (
    AUTO,
    FILE,
    CellRequest,
    FinishedStart,
    FinishedStructure,
    FinishedStructures,
    Job,
    LearnedCell,
    SpaceGroupCell,
    Start,
    VolumePrior,
    cell_sources,
    count_known,
)
from chggen.io import MAX_ATOMS
from chggen.results import Candidate

_STEADY: Final = 0.25  # of the budget goes by these shares to the end, so that no source or cell size is starved
_SCALE: Final = 0.05  # eV/atom by which the best of an arm is above the best of all, when its share falls e-fold
_ROUND: Final = 8  # candidates in a round, more where there are more than eight rounds of it
_NEAR: Final = 0.1  # eV/atom; candidates this near to the lowest say what volume the formula takes


@dataclass(frozen=True)
class Arm:
    """A seed source for cells of so many formula units."""

    formula: str
    units: int
    source: str


def formula_units(n_atoms: int, asked: Sequence[int], most_atoms: int) -> tuple[int, ...]:
    """Multiples of the formula to make cells of: those asked for, else all up to most_atoms, one at least.

    Raises InputError where a cell would be empty or too large.
    """
    for z in asked or (1,):
        if z < 1 or z * n_atoms > MAX_ATOMS:
            raise InputError(f"{z} formula units give {z * n_atoms} atoms; expected cells of 1 to {MAX_ATOMS} atoms")
    return tuple(dict.fromkeys(asked)) or tuple(range(1, max(1, min(most_atoms, MAX_ATOMS) // n_atoms) + 1))


class Budget:
    """The de novo candidates of a run: which formula, cell size and source each of them gets, round by round.

    With `auto` all sources and cell sizes share the budget, more for those that do better. Sources that are named take
    turns, and n candidates are made for each cell size. Finished structures of a file come in its order, at most n of
    each formula.

    Args:
        options: What is asked for.
        draws_cells: Whether the score model of the run can draw cells.

    Raises:
        InputError: For formulas that cannot be made, and where the sources have nothing for them.
    """

    def __init__(self, options: GenerateOptions, draws_cells: bool = False) -> None:
        self.options = options
        self._draws_cells = draws_cells
        self._finished: dict[Arm, list[FinishedStructure]] = {}
        self.species = {formula: parse_formula(formula) for formula in _formulas(options)}
        self.adaptive = options.cells_from == (AUTO,) and options.space_group == "none"
        self._sizes = {
            formula: formula_units(sum(species.values()), options.formula_units, options.max_atoms)
            for formula, species in self.species.items()
        }
        self._volumes = {
            formula: VolumePrior(options.volume, 0.0) if options.volume else VolumePrior.of(species)
            for formula, species in self.species.items()
        }
        self._prior = self._priors() if self.adaptive else {}
        self._turns = [] if self.adaptive else list(self._from_file() or self._in_turn())
        self.total = options.n * len(self.species) if self.adaptive else len(self._turns)
        self._stride = self.total if len(self.species) == 1 else options.n  # ranks that a formula's own draws take
        self._credit = dict.fromkeys(self._prior, 0.0)
        self._asked: list[Arm] = []
        self._found: dict[Arm, list[Candidate]] = {}

    def check(self) -> None:
        """Draw the first start of each source, which refuses a formula that does not fit."""
        for arm in dict.fromkeys(self._turns):
            start = self._job(arm, 0, 0).start
            if isinstance(start, SpaceGroupCell):
                start = replace(start, learned=False)  # whether the group fits does not depend on who draws the cell
            if not isinstance(start, (LearnedCell, FinishedStart)):
                start.draw(0)

    def next_round(self) -> list[Job]:
        """Jobs of the next round, none after the last; what came of the one before has to be learnt first."""
        size = min(max(_ROUND, math.ceil(self.total / _ROUND)), self.total - len(self._asked))
        begun = len(self._asked)
        arms = list(self._picked(size)) if self.adaptive else self._turns[begun : begun + size]
        jobs = []
        indices = Counter((arm.formula, arm.units) for arm in self._asked)
        ranks = Counter(self._asked)
        for arm in arms:
            jobs.append(self._job(arm, indices[arm.formula, arm.units], ranks[arm]))
            indices[arm.formula, arm.units] += 1
            ranks[arm] += 1
        self._asked += arms
        return jobs

    def learn(self, outcomes: Sequence[Candidate | None]) -> None:
        """What came of the jobs of the last round, in their order; None: nothing good."""
        last = self._asked[len(self._asked) - len(outcomes) :]
        for arm, outcome in zip(last, outcomes, strict=True):
            if outcome is None:
                self._found.setdefault(arm, [])
            elif outcome.energy_per_atom is not None:  # without one it tells nothing of its arm
                self._found.setdefault(arm, []).append(outcome)
        if self.options.volume is None:
            for formula in dict.fromkeys(arm.formula for arm in last):
                self._volumes[formula] = VolumePrior.of(self.species[formula]).given(self._volumes_near_best(formula))

    def _job(self, arm: Arm, index: int, rank: int) -> Job:
        rng = np.random.default_rng([self.options.seed, arm.units, index])
        seed = int(rng.integers(2**62))
        start = self._start(arm, rank, rng)
        candidate = Candidate(
            id=f"{arm.formula}-z{arm.units}-{index:04d}",
            stage="generate",
            formula=arm.formula,
            seed=seed,
            seed_source=arm.source,
            seed_log_odds=start.prototype_log_odds,
        )
        return Job(candidate=candidate, start=start)

    def _start(self, arm: Arm, rank: int, rng: np.random.Generator) -> Start:
        if arm in self._finished:
            return self._finished[arm][rank]
        request = CellRequest(
            species={symbol: arm.units * n for symbol, n in self.species[arm.formula].items()},
            volume=self._volumes[arm.formula],
            rng=rng,
            rank=rank,
            stride=self._stride,
            space_group=self.options.space_group,
        )
        return cell_sources()[arm.source].start(request)

    def _sources(self, formula: str, units: int, asked: Sequence[str]) -> list[str]:
        content = {symbol: units * n for symbol, n in self.species[formula].items()}
        return [name for name in asked if cell_sources()[name].available(content, self._draws_cells)]

    def _from_file(self) -> list[Arm]:
        """The arms of the finished structures of a file, where cells come from one."""
        name = self.options.cells_from[0]
        if not name.startswith(FILE):
            return []
        structures = FinishedStructures(Path(name.removeprefix(FILE)))
        turns = []
        for formula, species in self.species.items():
            for units, start in structures.of_formula(species)[: self.options.n]:
                if self.options.formula_units and units not in self.options.formula_units:
                    continue
                turns.append(Arm(formula, units, structures.name))
                self._finished.setdefault(turns[-1], []).append(start)
        if not turns:
            raise InputError(
                f"{structures.path} has no structure of {', '.join(self.species)}; it holds "
                f"{structures.compositions()}; ask for one of these"
            )
        return turns

    def _in_turn(self) -> Iterator[Arm]:
        """Every candidate's arm: all cell sizes before the next source, which is another for each size in turn."""
        asked: tuple[str, ...] = self.options.cells_from
        if self.options.space_group != "none":  # which these two alone can keep
            asked = ("learned",) if "learned" in asked else ("space-group",)
        sources = {}
        for formula, sizes in self._sizes.items():
            for units in sizes:
                sources[formula, units] = self._sources(formula, units, asked)
        if not any(sources.values()):
            raise InputError(
                f"sources {', '.join(asked)} have nothing for {', '.join(self.species)} in these cells: no prototype "
                "is known, or the score model draws no cells; use --cells-from auto or other formula units"
            )
        for index in range(self.options.n):
            for (formula, units), own in sources.items():
                if own:
                    yield Arm(formula, units, own[index % len(own)])

    def _priors(self) -> dict[Arm, float]:
        """Shares to begin with: formulas alike, cell sizes by how many crystals of the stoichiometry have them."""
        shares: dict[Arm, float] = {}
        for formula, sizes in self._sizes.items():
            species = self.species[formula]
            of_size = {z: math.sqrt(1 + count_known({s: z * n for s, n in species.items()})) for z in sizes}
            for z in sizes:
                own = self._sources(formula, z, [name for name, source in cell_sources().items() if source.share > 0])
                share_of = {name: cell_sources()[name].share for name in own}
                whole = sum(share_of.values()) * sum(of_size.values()) * len(self._sizes)
                shares |= {Arm(formula, z, name): share * of_size[z] / whole for name, share in share_of.items()}
        return shares

    def _picked(self, n: int) -> Iterator[Arm]:
        """n arms, each as often as its share says, what rounding owes it kept for the rounds to come."""
        shares = self._shares()
        for _ in range(n):
            for arm, share in shares.items():
                self._credit[arm] += share
            chosen = max(self._credit, key=self._credit.__getitem__)
            self._credit[chosen] -= 1
            yield chosen

    def _shares(self) -> dict[Arm, float]:
        """Shares of the arms after what is known: more for those whose best is low, and for formulas near the hull."""
        lowest = {formula: min(self._energies(formula), default=math.inf) for formula in self.species}
        weights = {arm: prior * self._promise(arm, lowest[arm.formula]) for arm, prior in self._prior.items()}
        total = sum(weights.values())
        if not total:
            return self._prior
        return {arm: _STEADY * p + (1 - _STEADY) * weights[arm] / total for arm, p in self._prior.items()}

    def _promise(self, arm: Arm, lowest: float) -> float:
        """1 for an arm never tried, or one with the best candidate of a formula on the hull; 0 where all failed."""
        if arm not in self._found:
            height = 0.0
        else:
            height = min((_energy(c) for c in self._found[arm]), default=math.inf) - min(lowest, 1e9)
        above = min((c.e_decomposition for c in self._of(arm.formula) if c.e_decomposition is not None), default=0.0)
        return math.exp(-(height + max(above, 0.0)) / _SCALE)

    def _of(self, formula: str) -> Iterator[Candidate]:
        return (c for arm, found in self._found.items() if arm.formula == formula for c in found)

    def _energies(self, formula: str) -> list[float]:
        return [_energy(c) for c in self._of(formula)]

    def _volumes_near_best(self, formula: str) -> list[float]:
        limit = min(self._energies(formula), default=math.inf) + _NEAR
        return [c.volume_per_atom for c in self._of(formula) if _energy(c) <= limit and c.volume_per_atom is not None]


def _energy(candidate: Candidate) -> float:
    return math.inf if candidate.energy_per_atom is None else candidate.energy_per_atom


def _formulas(options: GenerateOptions) -> tuple[str, ...]:
    """The formula asked for, or all of the system, the smallest first."""
    if not isinstance(options, PredictOptions) or not options.system:
        return (options.formula,)
    elements = system_elements(options.system)
    ends = [reduced(parse_formula(end)) for end in options.between]
    found = compositions(elements, options.max_atoms, ends)
    if not found:
        where = f" between {' and '.join(options.between)}" if options.between else ""
        raise InputError(
            f"no composition of {options.system}{where} has at most {options.max_atoms} atoms; expected one, so raise "
            "--max-atoms"
        )
    return tuple("".join(f"{s}{n if n > 1 else ''}" for s, n in counts.items()) for counts in found)
