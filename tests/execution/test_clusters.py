"""The same run on every executor: the same candidates, and one sentence for what cannot be used."""

from __future__ import annotations

import subprocess
import warnings
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster

import chggen
from chggen.cli.app import main
from chggen.execution.executors import RegisteredExecutor, executors
from chggen.execution.machine import Machine
from chggen.execution.slurm_cluster import SlurmOptions

_RUN: dict[str, Any] = {
    "formula": "Cu", "n": 4, "levels": 4, "fmax": 0.5, "formula_units": (1, 2), "second_level_below": None,
    "potential": "ase:ase.calculators.emt:EMT", "progress": None,
}  # fmt: skip


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The summary of the run in this process."""
    return _summary(tmp_path_factory.mktemp("here"), workers=1)


def _summary(folder: Path, **where: Any) -> str:
    chggen.predict(**_RUN, **where, out=folder / "run")
    return (folder / "run" / "summary.csv").read_text()


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of ports, and of what a cluster leaves to the garbage collector
        with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
            yield cluster.scheduler_address


@pytest.mark.filterwarnings("ignore")
def test_a_dask_cluster_makes_the_same_candidates(here: str, scheduler: str, tmp_path: Path) -> None:
    assert _summary(tmp_path, executor=f"dask:{scheduler}") == here


@pytest.mark.filterwarnings("ignore")
def test_executorlib_makes_the_same_candidates(here: str, tmp_path: Path) -> None:
    from executorlib import SingleNodeExecutor  # which warns of pydantic when it is imported

    with SingleNodeExecutor(max_workers=1, block_allocation=True, hostname_localhost=True) as executor:
        assert _summary(tmp_path, executor=executor) == here


class _FailsAtFirst(Executor):
    """Threads that fail each batch when it comes for the first time."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(2)
        self.failed: set[tuple[str, ...]] = set()

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        batch = tuple(str(job.candidate.id) for job in args[1])
        if batch in self.failed:
            return self._threads.submit(function, *args, **kwargs)
        self.failed.add(batch)
        future: Future[Any] = Future()
        future.set_exception(ConnectionError("the node was taken away"))
        return future


def test_threads_that_fail_on_purpose_make_the_same_candidates(here: str, tmp_path: Path) -> None:
    executor = _FailsAtFirst()
    assert _summary(tmp_path, executor=executor, batch_size=2) == here
    assert len(executor.failed) > 4


def test_executors_of_other_packages_have_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, here: str) -> None:
    opened: list[tuple[str, Path]] = []

    def open_(place: str, folder: Path) -> Executor:
        opened.append((place, folder))
        folder.mkdir(parents=True)
        return ThreadPoolExecutor(1)

    mine = RegisteredExecutor(name="mine", check=lambda place: None, open=open_)
    monkeypatch.setitem(executors(), "mine", mine)
    assert _summary(tmp_path, executor="mine:there:1") == here
    assert opened == [("there:1", tmp_path / "run" / ".mine")]
    assert not opened[0][1].exists()  # a run that is done leaves nothing of it


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("slrum", "unknown executor 'slrum'; expected local, slurm, dask"),
        ("dask", "dask expects the address of a scheduler with its port, got ''; give one, as in dask:tcp://"),
        ("dask:nonsense", "dask expects the address of a scheduler with its port, got 'nonsense'"),
        ("slurm:missing.toml", "missing.toml"),
    ],
)
def test_an_executor_that_is_none_is_refused_before_anything_is_computed(asked: Any, told: str, tmp_path: Path) -> None:
    with pytest.raises(chggen.InputError) as refused:
        chggen.predict(**_RUN, executor=asked, out=tmp_path / "run")
    assert told in str(refused.value)
    assert not (tmp_path / "run").exists()


def test_an_object_that_takes_no_calls_is_refused() -> None:
    machine = Machine()
    object.__setattr__(machine, "executor", 7)  # as of a caller whose types nobody checks
    with pytest.raises(chggen.InputError, match="expected slurm:FILE, dask:ADDRESS or an object with submit, got int"):
        machine.__post_init__()


def test_slurm_without_sbatch_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(chggen.InputError, match="there is no sbatch here"):
        Machine(executor="slurm")


@pytest.mark.filterwarnings("ignore")
def test_a_scheduler_that_does_not_answer_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from chggen.execution import dask_cluster

    monkeypatch.setattr(dask_cluster, "_PATIENCE", 0.5)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["chggen", "generate", "Cu", "-n", "1", "--executor", "dask:tcp://127.0.0.1:9"])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert told.startswith("chggen: no Dask scheduler answers at tcp://127.0.0.1:9")
    assert len(told) <= 300


def test_the_script_of_a_job_says_what_the_file_asks_for(tmp_path: Path) -> None:
    options = SlurmOptions.of(
        partition="main", account="mat-1", cores=4, gpus=1, memory="8G", time="1-00:00:00", modules=["cuda/12.4"],
        environment={"OMP_NUM_THREADS": "1", "NOTE": "it's {{ mine }}"}, setup=["source ~/bin/activate"],
    )  # fmt: skip
    from jinja2 import Template

    told = Template(options.script("chggen-my run")).render(command="echo done", working_directory="/scratch/x")
    head = told.split("\n\n")[0].splitlines()
    assert head[0] == "#!/bin/bash"
    assert set(head[1:]) == {
        "#SBATCH --job-name=chggen-my-run", "#SBATCH --partition=main", "#SBATCH --account=mat-1", "#SBATCH --mem=8G",
        "#SBATCH --time=1-00:00:00", "#SBATCH --nodes=1", "#SBATCH --ntasks=1", "#SBATCH --cpus-per-task=4",
        "#SBATCH --gpus=1", "#SBATCH --output=job.log", "#SBATCH --chdir=/scratch/x",
    }  # fmt: skip
    script = tmp_path / "job.sh"
    script.write_text("module() { echo module $@; }\nset -e\n" + told.replace("source ~", "echo source ~"))
    said = subprocess.run(["bash", script], capture_output=True, text=True, check=True).stdout.splitlines()
    assert said[0] == "module load cuda/12.4"
    assert said[-1] == "done"
    assert "export NOTE='it'\"'\"'s {{ mine }}'" in told


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"partition": "main\n#SBATCH --x"}, "partition: expected what stands behind an option of sbatch"),
        ({"time": "2 hours"}, "time: expected minutes, HOURS:MINUTES:SECONDS or DAYS-HOURS"),
        ({"nodes": 0}, "nodes: "),
        ({"queue": "main"}, "queue: "),
        ({"environment": {"A B": "1"}}, "environment: expected names of environment variables, not 'A B'"),
        ({"setup": ["a\nb"]}, "setup: expected lines of one command each"),
    ],
)
def test_resources_that_are_none_are_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(chggen.InputError) as refused:
        SlurmOptions.of(**wrong)
    assert str(refused.value).startswith(told)
