"""Batches and the workers that compute them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

import chggen
from chggen.campaign import resources as resources
from chggen.execution.executor import Workers, batches_of
from chggen.execution.machine import Machine
from chggen.generation.options import SamplerOptions

_EMT = "ase:ase.calculators.emt:EMT"


# The script stands unguarded at the top of a file, as a user writes it: workers must not run it again.
_UNGUARDED = """
import chggen, sys
print("begin", flush=True)
found = chggen.generate("Cu", n=2, levels=6, out=sys.argv[1], potential="ase:ase.calculators.emt:EMT", workers=2)
"""


def test_two_workers_make_what_one_makes(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(_UNGUARDED)
    shown = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "two")], capture_output=True, text=True, check=True, timeout=300
    )
    assert shown.stdout == "begin\n"
    quick = {"levels": 6, "potential": _EMT, "workers": 1}
    chggen.generate("Cu", n=2, out=tmp_path / "one", batch_size=1, **quick)
    assert (tmp_path / "two" / "summary.csv").read_text() == (tmp_path / "one" / "summary.csv").read_text()


def _threads(batch: Sequence[Any], tools_: resources.Resources) -> list[int]:
    return [torch.get_num_threads()]


@pytest.mark.parametrize("workers", [1, 2])
def test_every_worker_has_one_thread_and_the_caller_keeps_its_own(workers: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        machine = Machine(workers=workers)
        found = list(
            Workers(machine).run(
                _threads, [[1], [2]], resources.Resources(sampler=SamplerOptions(), relax=None), lambda item, reason: []
            )
        )
        assert found == [[1], [1]]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_batches_are_cut_before_what_is_made_is_left_out() -> None:
    machine = Machine(workers=1, batch_size=3)
    assert batches_of(range(7), machine) == [[0, 1, 2], [3, 4, 5], [6]]
    assert batches_of(range(7), machine, made=lambda k: k in (0, 1, 2, 4)) == [[3, 5], [6]]
    assert batches_of([], machine) == []
    assert batches_of(range(4), Machine(workers=2, batch_size=8)) == [[0, 1], [2, 3]]
