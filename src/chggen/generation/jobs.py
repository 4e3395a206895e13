"""Job: a candidate to make, and what its tries start from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from chggen.generation.start import Start
from chggen.results import Candidate


@dataclass(frozen=True, kw_only=True)
class Job:
    """A candidate to make: its identity and lineage (a Candidate without result), and what its tries start from.

    rival: the same candidate from another start, which takes its place where its sample lies clearly lower.
    """

    candidate: Candidate
    start: Start
    rival: Job | None = None

    def redraw(self, k: int) -> Job:
        """The k-th further draw of the same job."""
        seed = int(np.random.default_rng([self.candidate.seed, k]).integers(2**62))
        start = self.start.redraw(k)
        name = f"{self.candidate.id}-r{k}"
        return Job(
            candidate=replace(self.candidate, id=name, seed=seed, seed_log_odds=start.prototype_log_odds), start=start
        )
