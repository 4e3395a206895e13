"""Batches on a Dask cluster: `dask:ADDRESS`, by `Client.get_executor`."""

from __future__ import annotations

import logging
import re
from concurrent.futures import Executor, Future
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from chggen.errors import InputError, one_line

log = logging.getLogger(__name__)
_PATIENCE: Final = 30.0  # s in which a scheduler answers


def check(address: str) -> None:
    """Check that Dask is installed and that an address is given.

    Args:
        address: Of a scheduler, such as `tcp://10.0.0.1:8786`.

    Raises:
        InputError: It is not.
    """
    if not re.search(r"[^:/]:\d+/?$", address) and not address.startswith("inproc://"):
        raise InputError(
            f"dask expects the address of a scheduler with its port, got '{address:.60}'; give one, as in "
            "dask:tcp://10.0.0.1:8786"
        )
    if find_spec("distributed") is None:
        raise InputError("dask needs a package that is not installed; install chggen[dask] here and on the workers")


def opened(address: str, folder: Path) -> Executor:
    """Return the executor of the cluster that a scheduler has.

    Args:
        address: Of the scheduler.
        folder: Of no use here.

    Raises:
        InputError: No scheduler answers there.
    """
    distributed: Any = import_module("distributed")
    try:
        client = distributed.Client(address, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(
            f"no Dask scheduler answers at {address} ({one_line(str(error), 80)}); start one by `dask scheduler`, or "
            "name another address"
        ) from None
    if not client.nthreads():
        log.warning("the Dask scheduler has no workers yet; waiting for them (`dask worker %s`)", address)
    return _DaskExecutor(client)


class _DaskExecutor(Executor):
    """The executor of a client, with how many workers there are."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._executor = client.get_executor(pure=False)

    @property
    def places(self) -> int:
        """How many batches are computed at a time: one by each worker, whose threads take turns."""
        return max(1, len(self._client.nthreads()))

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Send a call, see `concurrent.futures.Executor.submit`."""
        future: Future[Any] = self._executor.submit(function, *args, **kwargs)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the cluster, which goes on."""
        self._executor.shutdown(wait=wait)
        self._client.close()
