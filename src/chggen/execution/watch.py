"""What may end a computation in this process from outside: a time limit and Ctrl-C, told apart from its own doing."""

from __future__ import annotations

import ctypes
import math
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

Interrupted = Callable[[], bool]
"""Whether the user has interrupted this process."""


class TookTooLongError(BaseException):
    """A computation took longer than it may. It is no Exception, so that no calculator takes it for its own error."""


@contextmanager
def watched(seconds: float = math.inf) -> Iterator[Interrupted]:
    """Compute a block under a time limit, and notice whether the user interrupts it.

    Ctrl-C reaches the main thread alone, where the time limit needs a system with timers. Other threads, such as those
    of a Dask worker, are stopped between two lines of Python.

    Args:
        seconds: The time that the block may take, s.

    Yields:
        Whether a KeyboardInterrupt that comes out of the block is the user's. One that a calculator raises is not.

    Raises:
        TookTooLongError: The block took longer.
    """
    if threading.current_thread() is not threading.main_thread():
        with _limited_thread(seconds):
            yield lambda: False
        return
    with _limited(seconds), _noticing() as interrupted:
        yield interrupted


@contextmanager
def _noticing() -> Iterator[Interrupted]:
    before = signal.getsignal(signal.SIGINT)
    if not callable(before):  # ignored, or ends the process at once
        yield lambda: False
        return
    seen: list[int] = []

    def handler(number: int, frame: FrameType | None) -> Any:
        seen.append(number)
        return before(number, frame)

    signal.signal(signal.SIGINT, handler)
    try:
        yield lambda: bool(seen)
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    if not math.isfinite(seconds) or not hasattr(signal, "setitimer") or any(signal.getitimer(signal.ITIMER_REAL)):
        yield
        return

    def handler(number: int, frame: FrameType | None) -> None:
        raise TookTooLongError(f"it took longer than {seconds:g} s; raise the time limit")

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _limited_thread(seconds: float) -> Iterator[None]:
    """Raise TookTooLongError in this thread, which is not the main one, after some time."""
    if not math.isfinite(seconds):
        yield
        return
    told = f"it took longer than {seconds:g} s; raise the time limit"
    raised = type("TookTooLongError", (TookTooLongError,), {"__str__": lambda self: told})  # made by the interpreter
    thread = ctypes.c_ulong(threading.get_ident())
    turn, over = threading.Lock(), threading.Event()

    def stop() -> None:
        while not over.wait(seconds):  # more than once, should something swallow it
            with turn:
                if not over.is_set():
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(raised))

    threading.Thread(target=stop, daemon=True).start()
    try:
        yield
    finally:
        while True:
            try:
                with turn:
                    over.set()  # nothing is sent any more
                for _ in range(2):  # one that is on its way comes here, and is of no meaning now
                    pass
                break
            except TookTooLongError:
                continue
