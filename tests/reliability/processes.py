"""Commands that run in children of this process, which has everything loaded: a start costs milliseconds, not seconds.

A child is `chggen` itself, `chggen.cli.main`, in a session of its own, with its output in files.
"""

from __future__ import annotations

import gc
import importlib
import os
import pkgutil
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Final

ACCEPTED: Final = 77
"""Exit code of a command whose input was taken, and which was stopped where its computing would begin."""
_GIB: Final = 2**30


class Accepted(BaseException):
    """The input was taken; the computing would begin here."""

    exit_code = ACCEPTED

    def show(self) -> None:
        """Say nothing, in place of the sentence about an error."""


def load(models: bool = False) -> None:
    """Load what commands need into this process.

    Args:
        models: Whether commands will compute, so that models are loaded and used once.
    """
    import torch

    torch.set_num_threads(1)
    import chggen

    for module in pkgutil.walk_packages(chggen.__path__, "chggen."):
        with suppress(ImportError):  # of what needs an extra
            importlib.import_module(module.name)
    from chggen.score import load_score_model
    from chggen.stability import references_of

    references_of(())
    load_score_model()
    if models:
        chggen.generate("NaCl", n=1, quality="fast", workers=1)
    gc.collect()
    gc.freeze()  # else each child walks through all that is loaded, and copies it by doing so


def rehearse(inputs: Path, folder: Path) -> None:
    """Give commands in this process whose computing is stopped, so that children find all that they import.

    Args:
        inputs: Folder of `make_inputs`.
        folder: Folder for what they write.
    """
    from chggen.cli import main

    oxide, host = str(inputs / "li2o.cif"), str(inputs / "host.cif")
    for number, arguments in enumerate(
        (
            ["predict", "NaCl", "-n", "1"], ["generate", "NaCl", "-n", "1"], ["inpaint", host, "--guest", "Li=2"],
            ["relax", oxide], ["refine", oxide], ["references", "build", oxide, "-o", str(folder / "built")],
            ["train", "nothing.toml"],
            ["export", "nothing"], ["hull", oxide], ["hull", "--formula", "Li2O", "--energy", "-4"],
            ["references", "show", "Li-O"],
        )
    ):  # fmt: skip
        where = [] if arguments[0] in ("hull", "export", "references") else ["-o", str(folder / str(number))]
        before, sys.argv = sys.argv, ["chggen", *arguments, *where]
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
            try:
                main()
            except (SystemExit, Accepted):
                continue
            finally:
                sys.argv = before


def stop_before_computing() -> None:
    """Make commands of this process stop where their computing would begin; see `ACCEPTED`."""
    import chggen.campaign.runner as runner
    import chggen.execution as execution
    import chggen.stability.building as building
    import chggen.training.loop as loop
    import chggen.workflows.relax  # noqa: F401

    def stop(*_: object, **__: object) -> None:
        raise Accepted

    class Idle(execution.Workers):
        run = stop

    runner.Workers = building.Workers = execution.Workers = Idle
    loop._Run.advance = stop


def fork_workers() -> None:
    """Let local processes be forked, so that they need not load anything; the program itself starts them afresh."""
    import multiprocessing

    ordinary = multiprocessing.get_context
    multiprocessing.get_context = lambda method=None: ordinary("fork" if method == "spawn" else method)


def start(
    arguments: Sequence[str],
    log: Path,
    folder: Path,
    before: Callable[[], None] | None = None,
    memory: int = 0,
) -> int:
    """Start a command.

    Args:
        arguments: Its arguments.
        log: File to append its standard output and error to; the error alone goes to this name with `.err`.
        folder: The working folder.
        before: Called in the child before the command.
        memory: Most address space in GiB; 0 for no limit.

    Returns:
        The process id of the child, which is also the id of its group.
    """
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        code = _child(arguments, log, folder, before, memory)
    finally:
        os._exit(code)


def _child(arguments: Sequence[str], log: Path, folder: Path, before: Callable[[], None] | None, memory: int) -> int:
    """Run the command in this process, and return its exit code."""
    null = os.open(os.devnull, os.O_RDONLY)
    out, err = (os.open(p, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644) for p in (log, log.with_suffix(".err")))
    for number, handle in enumerate((null, out, err)):
        os.dup2(handle, number)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    os.chdir(folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory * _GIB, memory * _GIB))
    sys.argv = ["chggen", *arguments]
    code = 0
    try:
        if before is not None:
            before()
        from chggen.cli import main

        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except Accepted:
        code = ACCEPTED
    except BaseException:
        traceback.print_exc()
        code = 1
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return code


def ended(pid: int, seconds: float, moment: Callable[[], bool] | None = None) -> int | None:
    """Wait for a child.

    Args:
        pid: Its process id.
        seconds: The longest wait.
        moment: Called again and again; the wait is over when it says so.

    Returns:
        Its exit code, negative for a signal; None where it still runs.
    """
    until, pause = time.monotonic() + seconds, 0.0005
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > until or (moment is not None and moment()):
            return None
        time.sleep(pause)
        pause = pause if moment is not None else min(1.5 * pause, 0.02)


def kill_group(pid: int) -> None:
    """Kill a child and all that it has started, and forget it.

    Args:
        pid: Its process id.
    """
    for target in (os.killpg, os.kill):
        try:
            target(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        return


def left_of_group(pid: int, seconds: float = 10.0) -> list[int]:
    """Return the processes of an ended child's group that go on.

    Args:
        pid: Process id of the child.
        seconds: How long to wait for them to end.

    Returns:
        Their process ids.
    """
    until = time.monotonic() + seconds
    while found := _members(pid):
        if time.monotonic() > until:
            return found
        time.sleep(0.05)
    return []


def _members(group: int) -> list[int]:
    """The processes of a session that live."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if fields[0] != "Z" and int(fields[3]) == group:  # the session, which a group of its own does not leave
                found.append(int(entry.name))
    return found
