"""A run on a real SLURM: `make test-slurm` starts one of two nodes on this machine and sets CHGGEN_SLURM."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(not os.environ.get("CHGGEN_SLURM"), reason="needs SLURM: make test-slurm"),
]
_RUN = [
    "predict", "NaCl", "--guest", "Na", "-n", "6", "--levels", "20", "--fmax", "0.3", "--seed", "1",
    "--second-level-below", "-1",
]  # fmt: skip
_NODES = """
partition = "main"
nodes = 2
time = "00:20:00"
environment = { OMP_NUM_THREADS = "1" }
"""


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "chggen.cli.app", *arguments]


def _jobs(states: str = "") -> list[str]:
    asked = ["squeue", "--noheader", "--format=%A %t %N", *([f"--states={states}"] if states else [])]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()


def _until(happened: str, wanted: float = 240.0) -> list[str]:
    """Wait until a job runs or has come."""
    began = time.monotonic()
    while time.monotonic() - began < wanted:
        if found := _jobs("RUNNING"):
            return found
        time.sleep(0.5)
    raise AssertionError(f"{happened} did not happen in {wanted} s")


@contextmanager
def _started(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            yield running
        finally:
            running.kill()


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The summary of the run in local processes."""
    folder = tmp_path_factory.mktemp("here")
    subprocess.run(_command(*_RUN, "--workers", "1", "-o", str(folder / "run")), check=True, capture_output=True)
    return (folder / "run/summary.csv").read_text()


@pytest.fixture
def there(tmp_path: Path) -> list[str]:
    """The command that makes the run by jobs of SLURM."""
    (tmp_path / "nodes.toml").write_text(_NODES)
    return _command(*_RUN, "--executor", f"slurm:{tmp_path / 'nodes.toml'}", "-o", str(tmp_path / "run"))


def test_jobs_make_the_same_candidates_and_leave_nothing(here: str, there: list[str], tmp_path: Path) -> None:
    ended = subprocess.run(there, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "run/summary.csv").read_text() == here
    assert not (tmp_path / "run/.slurm").exists()
    assert _jobs() == []


def test_a_node_that_is_lost_costs_no_candidate(here: str, there: list[str], tmp_path: Path) -> None:
    with _started(there) as running:
        node = _until("a job that runs")[0].split()[2]
        subprocess.run(["scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test"], check=True)
        time.sleep(5)
        subprocess.run(["scontrol", "update", f"NodeName={node}", "State=RESUME"], check=False)  # it may be back
        assert running.wait(420) == 0
    assert (tmp_path / "run/summary.csv").read_text() == here


def test_a_job_that_is_cancelled_is_sent_again(here: str, there: list[str], tmp_path: Path) -> None:
    with _started(there) as running:
        job = _until("a job that runs")[0].split()[0]
        subprocess.run(["scancel", job], check=True)
        assert running.wait(420) == 0
    assert (tmp_path / "run/summary.csv").read_text() == here
    assert "did not come back" in (tmp_path / "run/log.txt").read_text()


def test_a_driver_that_is_killed_goes_on_with_the_jobs_it_has(here: str, there: list[str], tmp_path: Path) -> None:
    with _started(there) as running:
        before = {line.split()[0] for line in _until("a job that runs")}
        running.kill()
    assert {line.split()[0] for line in _jobs()} >= before  # jobs outlive it
    with _started(there) as running:
        while running.poll() is None and {line.split()[0] for line in _jobs()} & before:
            queued = {int(line.split()[0]) for line in _jobs()}
            assert len(queued) <= 4  # the same batches, not once more
            time.sleep(0.5)
        assert running.wait(420) == 0
    assert (tmp_path / "run/summary.csv").read_text() == here


def test_ctrl_c_takes_the_jobs_back(there: list[str]) -> None:
    with _started(there) as running:
        _until("a job that runs")
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 130
    time.sleep(3)
    assert _jobs() == []
