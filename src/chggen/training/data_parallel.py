"""Processes that share a training run: each works through batches of its own, and the gradients are averaged."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn


@dataclass(frozen=True)
class Team:
    """The place of one process in a team. The leader alone validates, writes files and decides when to stop.

    Attributes:
        rank: Number of the process, from 0, which is the leader.
        size: Number of processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process is the leader."""
        return self.rank == 0

    def average(self, gradients: list[torch.Tensor], stop: bool) -> bool:
        """Average gradients over the team, in place, and pass on the leader's decision to stop.

        Every process has to call it at every step, since each waits for the others.

        Args:
            gradients: Gradients of the parameters, the same shapes in the same order in every process.
            stop: Whether this process wants to stop. Only the leader's wish counts.

        Returns:
            Whether the leader wants to stop.
        """
        if self.size == 1:
            return stop
        wish = gradients[0].new_tensor([float(stop and self.leads)])
        flat = torch.cat([g.flatten() for g in gradients] + [wish])
        dist.all_reduce(flat)
        for gradient, mean in zip(gradients, flat[:-1].split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient) / self.size)
        return bool(flat[-1] > 0)


@contextmanager
def team(size: int, device: str, follow: Callable[..., None], *args: Any) -> Iterator[Team]:
    """Start the other processes of a team, for as long as the `with` block runs.

    The block is the leader's part. When it ends, the leader waits for the others; when it raises, they are stopped.

    Args:
        size: Number of processes, the leader included; 1 starts none.
        device: `cpu` or `cuda`. On GPUs, process k takes GPU k.
        follow: Called in each other process as `follow(team, device, *args)`. It and its arguments are pickled.
        *args: Further arguments of `follow`.

    Yields:
        The leader's place in the team.
    """
    if size == 1:
        yield Team()
        return
    with tempfile.TemporaryDirectory() as folder:
        meeting = f"file://{Path(folder) / 'meeting'}"
        threads = max(1, torch.get_num_threads() // size)
        arguments = (size, threads, meeting, device, follow, args)
        others = spawn(_start, arguments, nprocs=size - 1, join=False)
        assert others is not None
        try:
            torch.set_num_threads(threads)
            _join(meeting, 0, size, device)
            yield Team(0, size)
            dist.barrier()  # nobody leaves while another still talks to it
            others.join()
        finally:
            for process in others.processes:
                process.terminate()
            if dist.is_initialized():
                dist.destroy_process_group()


def _start(
    place: int,
    size: int,
    threads: int,
    meeting: str,
    device: str,
    follow: Callable[..., None],
    args: tuple[Any, ...],
) -> None:
    """Run `follow` in one of the started processes, which are numbered from 0 without the leader."""
    rank = place + 1
    torch.set_num_threads(threads)
    _join(meeting, rank, size, device)
    follow(Team(rank, size), f"cuda:{rank}" if device == "cuda" else device, *args)
    dist.barrier()
    dist.destroy_process_group()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads of the backend now and then abort a process that leaves in the ordinary way


def _join(meeting: str, rank: int, size: int, device: str) -> None:
    """Connect this process with the others, which meet by a file."""
    backend = "nccl" if device.startswith("cuda") else "gloo"
    dist.init_process_group(backend, init_method=meeting, rank=rank, world_size=size)
