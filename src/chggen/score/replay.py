"""Replay: an evaluation that is recorded once and run again with other numbers.

On a GPU a small evaluation takes as long as the host needs to launch its hundreds of kernels. A CUDA graph launches
them all at once. It needs tensors of fixed sizes at fixed places, so edges are padded to a number with some room, and
what is given is copied to where it was recorded. Elsewhere the same function runs on the same padded tensors.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from chggen.score.chunks import Graph

log = logging.getLogger(__name__)
_ROOM = 1.25  # times as many edges as there were when it was recorded
_WARM = 3  # runs before a recording, in which libraries choose their kernels and take their memory

Evaluate = Callable[[Graph, Tensor], Tensor]
"""Returns what the network finds for a graph and the noise levels of its receivers; all else stays the same."""


class Replay:
    """An evaluation of one chunk, for any positions of its atoms.

    Args:
        evaluate: The evaluation. It may not look at numbers to decide what it does.
        graph: A graph of the chunk. Senders, slots and turns of later ones are the same.
        sigma: Noise levels of the receivers in Å, of shape (receivers,).
        rows: Number of rows of its table of pairs. The row after the last is one that nobody reads.
    """

    def __init__(self, evaluate: Evaluate, graph: Graph, sigma: Float[Tensor, "receivers"], rows: int) -> None:
        self._evaluate = evaluate
        self._rows = rows
        edges = int(_ROOM * len(graph.vector)) + 1
        self._sigma = sigma.clone()
        self._graph = replace(graph, vector=graph.vector.new_ones(edges, 3), row=graph.row.new_full((edges,), rows))
        self._recorded: tuple[torch.cuda.CUDAGraph, Tensor] | None = None
        self._lock = threading.Lock()
        self._fill(graph, sigma)
        if sigma.is_cuda:
            self._record()

    def fits(self, graph: Graph) -> bool:
        """Return whether there is room for the edges of a graph.

        Args:
            graph: A graph of the chunk.
        """
        return len(graph.vector) <= len(self._graph.vector)

    def __call__(self, graph: Graph, sigma: Float[Tensor, "receivers"]) -> Tensor:
        """Run the evaluation.

        Args:
            graph: A graph of the chunk that fits.
            sigma: Noise levels of the receivers in Å, of shape (receivers,).

        Returns:
            What the evaluation returns.
        """
        with self._lock:  # threads may share a model
            self._fill(graph, sigma)
            if self._recorded is None:
                return self._evaluate(self._graph, self._sigma)
            recorded, found = self._recorded
            recorded.replay()
            return found.clone()

    def _fill(self, graph: Graph, sigma: Tensor) -> None:
        """Put numbers where they were recorded, and edges that lead nowhere into the room that is left."""
        count = len(graph.vector)
        self._sigma.copy_(sigma)
        self._graph.vector[:count] = graph.vector
        self._graph.row[:count] = graph.row
        self._graph.row[count:] = self._rows

    def _record(self) -> None:
        """Record the evaluation; where that cannot be done it is run as elsewhere."""
        try:
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(_WARM):
                    self._evaluate(self._graph, self._sigma)
            torch.cuda.current_stream().wait_stream(stream)
            recorded = torch.cuda.CUDAGraph()
            with torch.cuda.graph(recorded):
                found = self._evaluate(self._graph, self._sigma)
            self._recorded = recorded, found
        except RuntimeError:
            log.warning("the score network is launched step by step: it cannot be recorded", exc_info=True)
