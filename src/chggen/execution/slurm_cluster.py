"""Batches as jobs of SLURM: `slurm` or `slurm:FILE`, by executorlib's `SlurmClusterExecutor`.

Each call is a job of its own, whose input and result are files below the results folder. So jobs go on when the process
that submitted them is killed, and the same command finds their results.
"""

from __future__ import annotations

import re
import shlex
import shutil
from concurrent.futures import Executor, Future
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from chggen.errors import InputError
from chggen.io import read_toml
from chggen.settings import Options

_VALUE: Final = re.compile(r"[\w.,:@/+\-*&|()\[\]=%]+")
_TIME: Final = re.compile(r"(\d+-)?\d+(:\d\d?){0,2}")
_NAME: Final = re.compile(r"[A-Za-z_]\w*")


def _of_sbatch(given: str) -> str:
    if not _VALUE.fullmatch(given):
        raise ValueError("expected what stands behind an option of sbatch, without spaces")
    return given


def _time(given: str) -> str:
    if not _TIME.fullmatch(given):
        raise ValueError("expected minutes, HOURS:MINUTES:SECONDS or DAYS-HOURS, as sbatch takes them")
    return given


def _lines(given: tuple[str, ...]) -> tuple[str, ...]:
    if any("\n" in line for line in given):
        raise ValueError("expected lines of one command each")
    return given


def _variables(given: dict[str, str]) -> dict[str, str]:
    if odd := next((name for name in given if not _NAME.fullmatch(name)), None):
        raise ValueError(f"expected names of environment variables, not '{odd}'")
    return given


_Sbatch = Annotated[str, AfterValidator(_of_sbatch)]


class SlurmOptions(Options):
    """The resources of a job, and how many jobs there are at a time: the keys of the file."""

    partition: _Sbatch | None = Field(default=None, description="Partition; the default one of the cluster otherwise.")
    account: _Sbatch | None = Field(default=None, description="Account that is charged.")
    qos: _Sbatch | None = Field(default=None, description="Quality of service.")
    constraint: _Sbatch | None = Field(default=None, description="Features that nodes must have.")
    nodes: int = Field(default=8, ge=1, le=100_000, description="Jobs that run at a time, for which batches are cut.")
    cores: int = Field(default=1, ge=1, le=1024, description="Cores of a job; it computes by as many processes.")
    gpus: int = Field(default=0, ge=0, le=64, description="GPUs of a job, for --device cuda.")
    memory: _Sbatch | None = Field(default=None, description="Memory of a job, such as 8G.")
    time: Annotated[str, AfterValidator(_time)] = Field(default="02:00:00", description="Time limit of a job.")
    modules: tuple[_Sbatch, ...] = Field(default=(), description="Modules to load.")
    environment: Annotated[dict[str, str], AfterValidator(_variables)] = Field(
        default={}, description="Environment variables."
    )
    setup: Annotated[tuple[str, ...], AfterValidator(_lines)] = Field(
        default=(), description="Shell commands before the work begins, such as `source ~/chggen/bin/activate`."
    )

    def script(self, name: str) -> str:
        """Return the batch script of a job, in which `{{command}}` and `{{working_directory}}` are left open.

        Args:
            name: Name of the jobs.
        """
        wanted = {
            "job-name": re.sub(r"[^\w.-]", "-", name), "partition": self.partition, "account": self.account,
            "qos": self.qos, "constraint": self.constraint, "mem": self.memory, "time": self.time, "nodes": 1,
            "ntasks": 1, "cpus-per-task": self.cores, "gpus": self.gpus or None, "output": "job.log",
            "chdir": "{{working_directory}}",
        }  # fmt: skip
        lines = ["#!/bin/bash", *(f"#SBATCH --{key}={value}" for key, value in wanted.items() if value is not None)]
        first = [f"module load {shlex.quote(module)}" for module in self.modules]
        first += [f"export {key}={shlex.quote(value)}" for key, value in self.environment.items()]
        return "\n".join([*lines, "{% raw %}", *first, *self.setup, "{% endraw %}", "{{command}}", ""])


def check(file: str) -> None:
    """Check that executorlib and SLURM are here, and that the file can be read.

    Args:
        file: The file with the resources; empty for none.

    Raises:
        InputError: They are not, or it cannot.
    """
    _options(file)
    if find_spec("executorlib") is None or find_spec("pysqa") is None:
        raise InputError("slurm needs packages that are not installed; install chggen[slurm]")
    if shutil.which("sbatch") is None:
        raise InputError("there is no sbatch here; expected a machine of a SLURM cluster that takes jobs")


def _options(file: str) -> SlurmOptions:
    """Return what a file asks for. Raises InputError."""
    try:
        return SlurmOptions.of(**(read_toml(Path(file)) if file else {}))
    except InputError as error:
        raise InputError(f"{file}: {error}" if file not in str(error) else str(error)) from None


def opened(file: str, folder: Path) -> Executor:
    """Return an executor whose calls are jobs of SLURM.

    Args:
        file: The file with the resources; empty for the defaults.
        folder: Folder for the files of the jobs, which nodes have to see, too.

    Raises:
        InputError: The file cannot be used.
    """
    return _SlurmExecutor(_options(file), folder)


class _SlurmExecutor(Executor):
    """Executorlib's executor, with how many jobs run at a time and of how many cores each."""

    def __init__(self, options: SlurmOptions, folder: Path) -> None:
        folder = folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        self.places, self.cores = options.nodes, options.cores
        self.most = 2 * options.nodes  # so that one waits for each that runs
        script = options.script(f"chggen-{folder.parent.name}")
        self._executor: Any = import_module("executorlib").SlurmClusterExecutor(
            cache_directory=str(folder),
            resource_dict={"cores": 1, "submission_template": script},
            disable_dependencies=True,
            refresh_rate=0.2,
        )

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Submit a job, see `concurrent.futures.Executor.submit`."""
        future: Future[Any] = self._executor.submit(function, *args, **kwargs)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the jobs that are on their way."""
        self._executor.shutdown(wait=wait, cancel_futures=cancel_futures)
