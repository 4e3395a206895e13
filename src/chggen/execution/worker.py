"""A local process that computes batches for the process that started it, and what the two say to each other."""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any, Final

from chggen.execution.failure import Failure, tell_stages
from chggen.execution.guard import Lost, Part, guarded

# of NumPy and SciPy: processes would fight over the cores
_ONE_THREAD: Final = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
_GPU: Final = "CUDA_VISIBLE_DEVICES"
# What a worker says: (kind, content).
READY, STAGE, PART, LOGGED, DONE, UNREADABLE = "ready", "stage", "part", "logged", "done", "unreadable"


class WorkerProcess:
    """A local process, as the process that started it sees it.

    It leads a process group of its own, so that programs that calculators start end with it.

    Args:
        gpu: The one GPU that it sees, by its name in CUDA_VISIBLE_DEVICES; None: all that this process sees.

    Raises:
        OSError: It cannot be started.

    Attributes:
        gpu: As given.
        connection: What it says comes here.
        ready: Whether it has begun to listen.
        stage: The stage in which it is, as it said last.
    """

    def __init__(self, gpu: str | None = None) -> None:
        self.gpu = gpu
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other,), name="chggen worker")
        self.ready = False
        self.stage: str | None = None
        try:
            with _hidden_main(), _environment(_ONE_THREAD | ({} if gpu is None else {_GPU: gpu})), _no_interrupt():
                self._process.start()
        except BaseException:
            self.connection.close()
            raise
        finally:
            other.close()

    @property
    def gone(self) -> bool:
        """Whether the process has ended."""
        return not self._process.is_alive()

    def send(self, common: bytes, batch: bytes) -> None:
        """Give it a batch.

        Args:
            common: Work, resources, what stands for lost items, and the working folder; pickled.
            batch: The batch, pickled.

        Raises:
            OSError: The process has ended.
        """
        if self.gone:  # though what it has forked may keep the connection open
            raise OSError("the process has ended")
        self.connection.send_bytes(common)
        self.connection.send_bytes(batch)

    def end(self, patience: float = 0.0) -> str:
        """End the process with all that it has started, and say how it ended.

        Args:
            patience: Time to let it end by itself, s.

        Returns:
            What became of it, in a few words.
        """
        self._process.join(patience)
        code = self._process.exitcode
        self.kill()
        self._process.join()
        self.connection.close()
        if code is None:
            return "its process did not answer"
        if code >= 0:
            return f"its process ended with exit code {code}"
        known = {int(s): s.name for s in signal.Signals}
        hint = ", perhaps for want of memory" if known.get(-code) == "SIGKILL" else ""
        return f"its process was ended by {known.get(-code, f'signal {-code}')}{hint}"

    def kill(self) -> None:
        """End the process and all that it has started, at once."""
        pid = self._process.pid
        if pid is None:
            return
        try:
            os.killpg(pid, signal.SIGKILL)
        except (OSError, AttributeError):  # it leads no group yet, or the system has none
            self._process.kill()


@contextmanager
def _hidden_main() -> Iterator[None]:
    """Hide the calling script while a worker starts: it needs nothing of it, and would run it again."""
    main = vars(sys.modules["__main__"])
    kept: dict[str, Any] = {name: main.pop(name) for name in ("__file__", "__spec__") if name in main}
    main["__spec__"] = None
    try:
        yield
    finally:
        main.update(kept)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Let a worker that starts find these variables in its environment."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Hold Ctrl-C back while a worker starts: in its imports it would show where it was.

    This process gets it right afterwards, and the worker once it listens.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Speaker:
    """The worker's end of the connection; threads take turns."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._turn = threading.RLock()

    def say(self, kind: str, content: Any = None) -> None:
        with self._turn:
            self._connection.send((kind, content))


class _Forwarding(logging.Handler):
    """Hands what chggen logs to the process that keeps the log."""

    def __init__(self, speaker: _Speaker) -> None:
        super().__init__()
        self._speaker = speaker

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError, ValueError):  # nobody listens any more
            self._speaker.say(LOGGED, (record.name, record.levelno, self.format(record)))


def _serve(connection: Connection) -> None:
    """Compute what comes until the other end is closed."""
    import torch

    if hasattr(os, "setpgrp"):
        os.setpgrp()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it at once
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    torch.set_num_threads(1)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    speaker = _Speaker(connection)
    logger = logging.getLogger("chggen")
    logger.addHandler(_Forwarding(speaker))
    logger.setLevel(logging.INFO)
    logger.propagate = False
    tell_stages(lambda stage: speaker.say(STAGE, stage))
    speaker.say(READY)
    while True:
        try:
            common, packed = connection.recv_bytes(), connection.recv_bytes()
        except (EOFError, OSError):
            os._exit(0)  # without waiting for what a calculator may have left running
        _compute(common, packed, speaker)


def _compute(common: bytes, packed: bytes, speaker: _Speaker) -> None:
    """Compute one batch and send what comes of it."""
    try:
        work, resources, lost, folder = pickle.loads(common)
        batch = pickle.loads(packed)
    except Exception as error:  # such as a module that is not found here
        speaker.say(UNREADABLE, Failure.of(error))
        return
    with suppress(OSError, TypeError):  # the folder of the owner is gone
        os.chdir(folder)
    for part in guarded(work, batch, kept_resources(resources), lost):
        _send(part, batch, lost, speaker)
    speaker.say(DONE)


def _send(part: Part, batch: Sequence[Any], lost: Lost, speaker: _Speaker) -> None:
    """Send a part; what cannot be sent is lost."""
    places, made = part
    try:
        speaker.say(PART, (list(places), made))
    except OSError:
        os._exit(0)
    except Exception as error:
        failure = Failure.of(error)
        speaker.say(PART, (list(places), [row for place in places for row in lost(batch[place], failure)]))


_resources: dict[str, Any] = {}


def kept_resources(resources: Any) -> Any:
    """Return the resources that this process has loaded already where they are the same, else these.

    Args:
        resources: What work needs besides its batch, before anything is loaded. Its `repr` tells whether it is the
            same, and so says which version of a file is meant (see `Sendable.unloaded`).
    """
    return _resources.setdefault(repr(resources), resources)


def _leave_with_parent() -> None:
    """End this process and what it started once its parent is gone, even if that was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        if hasattr(os, "killpg"):
            os.killpg(0, signal.SIGKILL)
        os._exit(1)
