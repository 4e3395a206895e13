"""Threads of torch: one for each process, since threads that wait for each other can take forever."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread(of_cpu: bool = True) -> Iterator[None]:
    """Let torch use one thread for a block.

    Args:
        of_cpu: Whether it computes on a CPU; otherwise its threads are left as they are.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1 if of_cpu else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
