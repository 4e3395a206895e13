"""How a command ends: what its exit code is, what it says, and that a signal ends it soon.

| exit code | meaning |
|---|---|
| 0 | done; candidates that failed are rows |
| 1 | a fault of the program; the traceback is in a file that is named |
| 2 | input that cannot be used, or files that cannot be read or written |
| 129, 130, 143 | stopped by a hang-up, by Ctrl-C, by SIGTERM |
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, Final

from chggen.cli.options import as_typed
from chggen.errors import one_line

_SIGNALS: Final = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
_PATIENCE: Final = 1.5  # s between a signal and the end of the process, should it not end by itself
_FULL: Final = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_FORBIDDEN: Final = (errno.EACCES, errno.EPERM, errno.EROFS)


class Stopped(BaseException):
    """A signal that ends the command. It is no KeyboardInterrupt, so that libraries do not handle it their own way."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


class _Folder:
    """The results folder that the command writes to."""

    path: Path | None = None


def writes_to(folder: Path) -> None:
    """Tell which results folder the command writes to.

    Args:
        folder: The folder.
    """
    _Folder.path = folder


def run(app: Callable[..., Any]) -> int:
    """Run a command and say, where it does not end well, in one sentence on stderr why.

    Args:
        app: The typer app, called with `standalone_mode=False`.

    Returns:
        The exit code.
    """
    _Folder.path = None
    logging.raiseExceptions = False  # a log that cannot be written costs no run
    _open_streams()
    with _stopped_by_signals():
        try:
            result = app(standalone_mode=False)
            _flush()
            return result if isinstance(result, int) else 0
        except BaseException as error:
            return _ended_by(error)


def _ended_by(error: BaseException) -> int:
    """Say what ended the command, and return the exit code."""
    if hasattr(error, "show") and hasattr(error, "exit_code"):  # typer's usage errors, whichever click they are of
        error.show()
        return int(error.exit_code)
    if isinstance(error, Stopped):
        goes_on = _Folder.path is not None and _Folder.path.is_dir()
        _say("stopped; repeat the command to go on from here" if goes_on else "stopped")
        return error.exit_code
    if isinstance(error, BrokenPipeError) or isinstance(error.__context__, BrokenPipeError):
        _hush()
        return 1
    if type(error).__name__ == "InputError":
        _say(as_typed(str(error), sys.argv[1:]))
        return 2
    if isinstance(error, OSError) or type(error).__module__ == "sqlite3":
        _say(_about_files(error))
        return 2
    if isinstance(error, MemoryError):
        _say("this machine has too little memory for that; use fewer --workers or smaller cells")
        return 1
    if isinstance(error, SystemExit):
        _say(f"something that was called ended the program (exit {error.code}); see what your potential or model calls")
        return 1
    _say(f"{type(error).__name__}: {one_line(str(error), 120)}; a fault of chggen, the traceback is in {_kept(error)}")
    return 1


def _about_files(error: BaseException) -> str:
    """Return the sentence about an error of the file system or of a database."""
    where = getattr(error, "filename", None) or _Folder.path or "the results"
    number, told = getattr(error, "errno", None), getattr(error, "strerror", None) or str(error) or type(error).__name__
    if number in _FULL or "full" in told:
        return f"no space is left for {where} ({told}); make room and repeat the command"
    if number in _FORBIDDEN or "readonly" in told:
        return f"{where} cannot be used ({told}); change its permissions or choose another --out"
    if number in (errno.ENOENT, errno.ENOTDIR, errno.ESTALE) or "unable to open" in told:
        return f"{where} is not there, or no longer ({told}); check the path and repeat the command"
    return f"{where} cannot be read or written ({told}); check the folder and repeat the command"


def _kept(error: BaseException) -> str:
    """Write the traceback of a fault down, and return where."""
    text = "".join(traceback.format_exception(error))
    folder = _Folder.path
    with suppress(OSError):
        if folder is not None and folder.is_dir():
            with (folder / "log.txt").open("a") as log:
                log.write(text)
            return str(folder / "log.txt")
    with suppress(OSError):
        handle, name = tempfile.mkstemp(prefix="chggen-", suffix=".log")
        with open(handle, "w") as written:
            written.write(text)
        return name
    return "no file, since none can be written"


def _say(sentence: str) -> None:
    with suppress(OSError, ValueError):
        print(f"chggen: {one_line(sentence)}", file=sys.stderr, flush=True)


def _flush() -> None:
    """Write what is still held back, so that a reader who has left is noticed here."""
    if sys.stdout is not None:
        sys.stdout.flush()


def _hush() -> None:
    """Write to nowhere from now on: whoever read the output has left."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _open_streams() -> None:
    """Open standard streams that are closed, lest files get their numbers; write what an encoding lacks somehow."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        with suppress(AttributeError, ValueError, OSError):
            getattr(sys, name).reconfigure(errors="backslashreplace")


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Raise `Stopped` where a signal comes, and end the process should that take longer than it may."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handler(number: int, frame: FrameType | None) -> None:
        for other in before:
            signal.signal(other, lambda again, _: os._exit(128 + again))
        raise Stopped(number)

    before = {n: signal.getsignal(n) for n in _SIGNALS if signal.getsignal(n) is not signal.SIG_IGN}  # as by nohup
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    told = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    ended = threading.Event()
    with suppress(RuntimeError):  # where memory is too short for a thread, what follows says so
        threading.Thread(target=_end_soon, args=(reading, tuple(before), ended), daemon=True).start()
    for number in before:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
        signal.set_wakeup_fd(told)
        ended.set()
        os.close(writing)  # ends the thread


def _end_soon(reading: int, signals: tuple[int, ...], ended: threading.Event) -> None:
    """End the process some time after a signal, if it has not ended: in native code it does not hear of signals."""
    while seen := os.read(reading, 64):
        for number in seen:
            if number in signals and not ended.wait(_PATIENCE):
                os._exit(128 + number)
    os.close(reading)
