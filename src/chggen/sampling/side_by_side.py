"""Together: samplings of several kinds that go on side by side and share each evaluation of the network.

Samplings that differ in their levels or in how they choose cannot be one batch of the sampler, and small batches are
slow for their size. So each of them runs as if it were alone. Where one asks the network it waits until all others ask
too or have ended, and one evaluation answers them all. Only one of them runs at any time, in a thread of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Any, TypeVar

import torch
from torch import Tensor

from chggen.crystals import Crystals, collate
from chggen.diffusion import AtomOrbits, Noise, Score, ScoreModel, UsesOrbits

_Result = TypeVar("_Result")


def together(score: ScoreModel, runs: Sequence[Callable[[ScoreModel], _Result]]) -> list[_Result]:
    """Run samplings side by side.

    Args:
        score: The score network. What it returns for a crystal must not depend on the other crystals of a batch.
        runs: The samplings: each samples with the score model that it is given.

    Returns:
        What each of them returned.

    Raises:
        Exception: What the first of them raised that raised anything; the others are then given up.
    """
    if len(runs) == 1:
        return [runs[0](score)]
    joined = _Joined(score)
    running = [_Run(run, isinstance(score, UsesOrbits)) for run in runs]
    try:
        for run in running:
            run.go_on(None)
        while asked := [(run, run.question) for run in running if run.question is not None]:
            answers = joined([question for _, question in asked])
            for (run, _), answer in zip(asked, answers, strict=True):
                run.go_on(answer)
        return [run.result for run in running]
    finally:
        for run in running:
            run.give_up()


@dataclass(frozen=True)
class _Question:
    """What a sampling asks the network."""

    crystals: Crystals
    noise: Noise
    orbits: AtomOrbits | None = None


class _GivenUp(BaseException):
    """Ends a sampling whose neighbour has failed; of no kind that a sampling catches."""


class _Run:
    """A sampling in a thread of its own, which stops wherever it asks.

    Attributes:
        question: What it waits for; None once it has ended.
        result: What it returned.
    """

    def __init__(self, run: Callable[[ScoreModel], Any], uses_orbits: bool) -> None:
        self.question: _Question | None = None
        self.result: Any = None
        self._run = run
        self._asking = (_AskingOrbits if uses_orbits else _Asking)(self._ask)
        self._error: BaseException | None = None
        self._answers: SimpleQueue[Any] = SimpleQueue()
        self._stopped: SimpleQueue[None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def go_on(self, answer: Score | None) -> None:
        """Begin, or go on with an answer. Return once the next question is asked or the sampling has ended."""
        self.question = None
        self._answers.put(answer)
        self._stopped.get()
        if self._error is not None:
            raise self._error

    def give_up(self) -> None:
        """End the sampling where it waits, if it has not ended."""
        self._answers.put(_GivenUp())
        self._thread.join()

    def _work(self) -> None:
        try:
            if isinstance(self._answers.get(), _GivenUp):
                return
            self.result = self._run(self._asking)
        except _GivenUp:
            return
        except BaseException as error:  # of any kind: it is raised where the samplings are waited for
            self._error = error
        self._stopped.put(None)

    def _ask(self, question: _Question) -> Score:
        self.question = question
        self._stopped.put(None)
        answer = self._answers.get()
        if isinstance(answer, _GivenUp):
            raise answer
        assert isinstance(answer, Score)
        return answer


class _Asking:
    """The score model that a sampling is given."""

    def __init__(self, ask: Callable[[_Question], Score]) -> None:
        self._ask = ask

    def __call__(self, crystals: Crystals, noise: Noise) -> Score:
        return self._ask(_Question(crystals, noise))


class _AskingOrbits(_Asking):
    """The same for networks that know orbits."""

    def of_orbits(self, crystals: Crystals, noise: Noise, orbits: AtomOrbits) -> Score:
        return self._ask(_Question(crystals, noise, orbits))


class _Joined:
    """Answers several questions by one evaluation.

    Cells and orbits are joined anew only when others come, since the network remembers what depends on them.
    """

    def __init__(self, score: ScoreModel) -> None:
        self._score = score
        self._last: tuple[list[Tensor], Crystals, AtomOrbits | None] | None = None

    @torch.no_grad()
    def __call__(self, questions: Sequence[_Question]) -> list[Score]:
        """Return the answers."""
        if len(questions) == 1 or any(q.noise.reference is not None for q in questions):
            return [self._one(q.crystals, q.noise, q.orbits) for q in questions]
        crystals, orbits = self._cells(questions)
        noise = Noise(
            sigma=torch.cat([q.noise.sigma for q in questions]), tau=torch.cat([q.noise.tau for q in questions])
        )
        atoms = self._one(crystals, noise, orbits).atoms
        return [Score(atoms=part) for part in atoms.split([len(q.noise.sigma) for q in questions])]

    def _one(self, crystals: Crystals, noise: Noise, orbits: AtomOrbits | None) -> Score:
        if orbits is None:
            return self._score(crystals, noise)
        assert isinstance(self._score, UsesOrbits)
        return self._score.of_orbits(crystals, noise, orbits)

    def _cells(self, questions: Sequence[_Question]) -> tuple[Crystals, AtomOrbits | None]:
        """The crystals of all questions, and their orbits if any has some."""
        parts = [tensor for q in questions for tensor in _fixed(q)]
        if self._last is None or len(parts) != len(self._last[0]) or any(map(_is_not, parts, self._last[0])):
            self._last = parts, collate([q.crystals for q in questions]), _orbits(questions)
        _, crystals, orbits = self._last
        positions = torch.cat([q.crystals.frac_coords for q in questions])
        return replace(crystals, frac_coords=positions), orbits


def _fixed(question: _Question) -> list[Tensor]:
    """What stays the same from one evaluation to the next."""
    crystals, orbits = question.crystals, question.orbits
    cells = [crystals.lattice, crystals.atomic_numbers, crystals.crystal_index, crystals.guest]
    return cells if orbits is None else [*cells, orbits.representative, orbits.turn]


def _is_not(a: Tensor, b: Tensor) -> bool:
    return a is not b


def _orbits(questions: Sequence[_Question]) -> AtomOrbits | None:
    """The orbits of all questions; atoms of a crystal without symmetry stand for themselves. None if none has any."""
    if all(q.orbits is None for q in questions):
        return None
    representatives, turns, before = [], [], 0
    for q in questions:
        if q.orbits is None:
            own = torch.arange(len(q.noise.sigma), device=q.noise.sigma.device)
            turns.append(torch.eye(3).to(q.noise.sigma).expand(len(own), 3, 3))
        else:
            own = q.orbits.representative
            turns.append(q.orbits.turn)
        representatives.append(own + before)
        before += len(own)
    return AtomOrbits(representative=torch.cat(representatives), turn=torch.cat(turns))
