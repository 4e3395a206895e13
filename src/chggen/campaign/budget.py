"""What a run makes next: which formulas, cell sizes and sources its candidates come from, round by round.

A round is a fixed stretch of candidates. What is learnt changes between rounds only, and from complete ones, so a
resumed run asks for the very same candidates.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from chggen.campaign.arms import Arm, formula_units, formulas_of
from chggen.campaign.options import GenerateOptions
from chggen.campaign.shares import Found, Shares
from chggen.crystals import parse_formula
from chggen.errors import InputError
from chggen.execution import Failure
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
from chggen.results import Candidate

log = logging.getLogger(__name__)
_ROUND: Final = 8  # least number of candidates in a round; later rounds are this part of what there is
_MOST: Final = 1_000_000  # candidates of a run


class Budget:
    """The de novo candidates of a run: which formula, cell size and source each of them gets, round by round.

    There are three ways to share the candidates:

    - With `auto`, all sources and cell sizes share one budget, and those that do better get more of it.
    - Sources that are named take turns, and n candidates are made for each cell size.
    - Finished structures of a file come in the order of the file, at most n of each formula.

    Args:
        options: What is asked for.
        draws_cells: Whether the score model of the run can draw cells.

    Attributes:
        species: Formula to its content, element symbol to number of atoms.
        adaptive: Whether sources and cell sizes share one budget.
        total: Number of candidates in all rounds.

    Raises:
        InputError: A formula cannot be made, or the sources have nothing for it.
    """

    def __init__(self, options: GenerateOptions, draws_cells: bool = False) -> None:
        self.options = options
        self._draws_cells = draws_cells
        self._finished: dict[Arm, list[FinishedStructure]] = {}
        self.species = {formula: parse_formula(formula) for formula in formulas_of(options)}
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
        _check_total(self.total)
        self._stride = self.total if len(self.species) == 1 else options.n  # ranks between a candidate and its redraw
        self._asked: list[Arm] = []
        self._indices: Counter[tuple[str, int]] = Counter()  # how many of them are of a formula and cell size
        self._ranks: Counter[Arm] = Counter()  # and of an arm
        self._found = Found()
        self._shares = Shares(self._prior, self._found, _fade)

    @property
    def left(self) -> int:
        """Number of candidates that no round has asked for yet."""
        return self.total - len(self._asked)

    def check(self) -> None:
        """Draw the first start of each source that was named, so that a formula that does not fit is refused at once.

        Raises:
            InputError: The species do not fit a source or the space group.
        """
        for arm in dict.fromkeys(self._turns):
            start = self._job(arm, 0, 0).start
            if isinstance(start, SpaceGroupCell):
                start = replace(start, learned=False)  # whether the group fits does not depend on who draws the cell
            if not isinstance(start, (LearnedCell, FinishedStart)):
                try:
                    start.draw(0)
                except InputError:
                    raise
                except Exception:  # of a source that fails at times; then its candidates are failed rows
                    log.warning("source %s failed in its first draw", arm.source, exc_info=True)

    def next_round(self) -> list[Job]:
        """Return the jobs of the next round.

        A round is eight candidates, or one for each formula, or an eighth of what was asked for before, whichever is
        most; in a run of parts (`--shard`) it is all. Arms, cells and seeds do not depend on how many candidates are
        wanted in all, so a run that is asked for more keeps what is there and goes on from it. What a symmetric
        candidate of one formula is drawn anew from does depend on that number (`CellRequest.stride`), and later rounds
        learn from what came of it.

        Call `learn` with the outcomes of one round before the next is asked for.

        Returns:
            The jobs; none after the last round.
        """
        begun = len(self._asked)
        size = min(max(_ROUND, len(self.species), math.ceil(begun / _ROUND)), self.total - begun)
        if self.options.shard is not None:  # its parts learn nothing of each other
            size = self.total - begun
        arms = list(self._shares.picked(size)) if self.adaptive else self._turns[begun : begun + size]
        jobs = []
        for arm in arms:
            jobs.append(self._job(arm, self._indices[arm.formula, arm.units], self._ranks[arm]))
            self._indices[arm.formula, arm.units] += 1
            self._ranks[arm] += 1
        self._asked += arms
        return jobs

    def learn(self, outcomes: Sequence[Candidate | None]) -> None:
        """Take in what came of the jobs of the last round.

        Good energies steer the shares of the next rounds, and volumes of the best candidates the volumes of the next
        cells.

        Args:
            outcomes: For each job of the round, in order, the good candidate that came of it, or None.
        """
        last = self._asked[len(self._asked) - len(outcomes) :]
        for arm, outcome in zip(last, outcomes, strict=True):
            self._found.add(arm, outcome)
        if self.options.volume is None:
            for formula in dict.fromkeys(arm.formula for arm in last):
                self._volumes[formula] = VolumePrior.of(self.species[formula]).given(
                    self._found.volumes_near_best(formula)
                )

    def _job(self, arm: Arm, index: int, rank: int) -> Job:
        """Return a job of an arm; `index` counts those of its formula and cell size, `rank` those of the arm itself."""
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
        """Return what the candidate of this rank among those of an arm starts from."""
        if arm in self._finished:
            return self._finished[arm][rank]
        content = {symbol: arm.units * n for symbol, n in self.species[arm.formula].items()}
        request = CellRequest(
            species=content,
            volume=self._volumes[arm.formula],
            rng=rng,
            rank=rank,
            stride=self._stride,
            space_group=self.options.space_group,
            parents=partial(self._found.parents, arm.formula, arm.units),
        )
        try:
            return cell_sources()[arm.source].start(request)
        except InputError:
            raise
        except Exception as error:  # of any kind: it costs this candidate alone
            log.warning("source %s failed", arm.source, exc_info=True)
            reason = Failure.of(error).reason
            return FinishedStructure(name=arm.source, source=arm.source, species=content, finished=reason)

    def _sources(self, formula: str, units: int, asked: Sequence[str]) -> list[str]:
        """Return which of the named sources have cells of so many formula units."""
        content = {symbol: units * n for symbol, n in self.species[formula].items()}
        return [name for name in asked if cell_sources()[name].available(content, self._draws_cells)]

    def _from_file(self) -> list[Arm]:
        """Return an arm for each finished structure of a file; none where cells do not come from a file."""
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
        """Yield the arm of each candidate where named sources take turns.

        Each turn visits all formulas and cell sizes once. From turn to turn, each of them goes on to its next source.
        """
        asked: tuple[str, ...] = self.options.cells_from
        if self.options.space_group != "none":  # only these two sources keep a space group
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
        _check_total(self.options.n * sum(map(bool, sources.values())))
        for index in range(self.options.n):
            for (formula, units), own in sources.items():
                if own:
                    yield Arm(formula, units, own[index % len(own)])

    def _priors(self) -> dict[Arm, float]:
        """Return the shares that the arms begin with; they sum to 1.

        Formulas share alike. Cell sizes of a formula share by how many known crystals of its stoichiometry have that
        size, and the sources of a size by the shares that they are registered with.
        """
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


def _fade(arm: Arm, rank: int) -> float:
    """Return the part of its share that is left to an arm whose source has been asked so often; 1 where none fades."""
    fade = getattr(cell_sources()[arm.source], "fade", None)
    return 1.0 if fade is None else fade(rank)


def _check_total(total: int) -> None:
    """Raise InputError where a run is asked for more candidates than anybody can wait for."""
    if total > _MOST:
        raise InputError(
            f"that is {total} candidates in all; expected at most {_MOST}; lower n (-n) or the number of cells"
        )
