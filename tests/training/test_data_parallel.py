"""Processes that share a run: gradients are averaged, the leader decides when to stop, all stay in step."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from chggen.io.toml import from_table
from chggen.score import read_checkpoint
from chggen.training.data_parallel import Team, team
from chggen.training.loop import train
from chggen.training.options import TrainingOptions


def _gradients(rank: int) -> list[torch.Tensor]:
    return [torch.full((2, 3), 1.0 + 2 * rank), torch.tensor([10.0 * rank])]


def _follow(member: Team, device: str, rounds: int) -> None:
    for _ in range(rounds):
        if member.average(_gradients(member.rank), stop=True):  # a follower's wish does not count
            return


def test_a_lone_process_keeps_its_gradients() -> None:
    mine = _gradients(1)
    assert Team().average(mine, stop=True)
    assert not Team().average(mine, stop=False)
    assert torch.equal(mine[0], _gradients(1)[0])


def test_gradients_are_averaged_and_the_leader_stops_the_team() -> None:
    with team(2, "cpu", _follow, 3) as leader:
        assert leader.leads
        for stop in (False, True):
            mine = _gradients(0)
            assert leader.average(mine, stop) == stop
            assert torch.equal(mine[0], torch.full((2, 3), 2.0))
            assert torch.equal(mine[1], torch.tensor([5.0]))


def test_a_leader_that_fails_leaves_no_follower_behind() -> None:
    with pytest.raises(RuntimeError, match="broken"), team(2, "cpu", _follow, 3):
        raise RuntimeError("broken")
    assert not torch.distributed.is_initialized()


@pytest.fixture
def options(tmp_path: Path) -> TrainingOptions:
    path = tmp_path / "data.extxyz"
    cell = '4\nLattice="4 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:3 pbc="T T T"\n'
    path.write_text((cell + "Na 0 0 0\nCl 2 2 0\nNa 2 0 2\nCl 0 2 2\n") * 12)
    return from_table(
        TrainingOptions,
        {
            "data": {"train": [str(path)], "atoms_per_batch": 8},
            "model": {"architecture": "painn", "features": 8, "layers": 1, "cutoff": 3.0, "n_basis": 4, "n_radial": 2},
            "optimizer": {"steps": 4},
            "run": {"out": str(tmp_path / "run"), "processes": 2, "validate_every": 0},
        },
        "training",
    )


def test_a_shared_run_goes_on_exactly_where_it_stopped(options: TrainingOptions, tmp_path: Path) -> None:
    from dataclasses import replace

    straight = read_checkpoint(train(options))["weights"]
    run = replace(options.run, out=str(tmp_path / "halves"))
    first = replace(options, run=replace(run, max_minutes=1e-9))
    train(first)  # one step, then both stop
    assert torch.load(tmp_path / "halves" / "resume" / "state.pt", weights_only=True)["step"] == 1
    resumed = read_checkpoint(train(replace(options, run=run), resume=True))["weights"]
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)
