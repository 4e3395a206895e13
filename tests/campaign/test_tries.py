"""Tries: symmetric candidates that fail are drawn anew, at once and a few times; resumed runs know what is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from chggen.campaign.tries import Tries
from chggen.execution import Machine
from chggen.generation import Host, InterfaceCell, ShiftedInterface
from chggen.generation.jobs import Job
from chggen.results.candidate import Candidate, failed


@dataclass(frozen=True)
class _Start:
    """A start of which only the symmetry matters."""

    symmetric: bool = True
    breaks: bool = False
    species: Mapping[str, int] = field(default_factory=dict)
    source: str = "test"
    de_novo: bool = True
    on_orbits: bool = False
    start_sigma: None = None
    prototype_log_odds: None = None

    def draw(self, seed: int, cell_drawer: Any = None) -> Any:
        raise NotImplementedError

    def redraw(self, k: int) -> _Start:
        if self.breaks:
            raise ArithmeticError("no further draw")
        return self


def _jobs(*starts: Any) -> list[Job]:
    return [
        Job(candidate=Candidate(id=f"c{k}", stage="generate", formula="X", seed=k), start=start)
        for k, start in enumerate(starts)
    ]


def _bad(candidate: Candidate) -> Candidate:
    return failed(candidate, "relax", "saddle")


_TWO = Machine(workers=2, batch_size=8)


def _waiting(tries: Tries) -> list[str]:
    found = []
    while some := tries.more(_TWO):
        found.append([job.candidate.id for job in some])
    return [name for batch in found for name in batch]


def test_those_that_fail_are_drawn_anew_up_to_three_times() -> None:
    jobs = _jobs(_Start(), _Start(symmetric=False), _Start(breaks=True))
    tries = Tries(jobs, {})
    assert tries.counts == (0, 3, 0)
    tries.add([_bad(job.candidate) for job in jobs])
    assert tries.counts == (3, 4, 3)
    for again in ("c0-r1", "c0-r2", "c0-r3"):
        (job,) = tries.more(_TWO)
        assert job.candidate.id == again
        tries.add([_bad(job.candidate), Candidate(id=f"{again}-low", stage="generate", formula="X", seed=0)])
    assert not tries.more(_TWO)
    assert tries.ids == [["c0", "c0-r1", "c0-r2", "c0-r3"], ["c1"], ["c2"]]
    assert tries.counts == (6, 6, 6)


def test_good_ones_are_left_alone_and_workers_share_what_waits() -> None:
    jobs = _jobs(*[_Start()] * 5)
    tries = Tries(jobs, {})
    tries.add([jobs[0].candidate, *(_bad(job.candidate) for job in jobs[1:])])
    assert [len(batch) for batch in iter(lambda: tries.more(_TWO), [])] == [2, 1, 1]


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_resumed_run_asks_for_what_is_missing(after: int) -> None:
    (job,) = _jobs(_Start())
    made = [_bad(job.candidate), *(_bad(replace(job.candidate, id=f"c0-r{k}")) for k in range(1, after + 1))]
    tries = Tries([job], {c.id: c for c in made})
    assert tries.made(job)
    assert _waiting(tries) == [f"c0-r{after + 1}"]
    assert tries.counts == (after + 1, after + 2, after + 1)


def test_an_interface_whose_gap_overlaps_is_drawn_anew() -> None:
    salt = Structure(Lattice.cubic(12.0), ["Cu", "Cu"], [[0, 0, 0.2], [0, 0, 0.6]])
    cell = InterfaceCell(salt, np.array([False, True]), (2.4, 7.2), 144.0, 0.0, ())
    start = ShiftedInterface(Host(framework=salt, guests={"H": 1}), cell=cell, shifts=False)
    (job,) = _jobs(start)
    for stage, expected in (("screen", ["c0-r1"]), ("relax", [])):
        tries = Tries([job], {})
        tries.add([failed(job.candidate, stage, "bad")])
        assert _waiting(tries) == expected
    assert job.redraw(1).start == replace(start, shifts=True)
