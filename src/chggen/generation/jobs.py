"""Job: a candidate to make, and what its tries start from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool

from chggen.generation.start import Start
from chggen.results import Candidate


@dataclass(frozen=True, kw_only=True)
class Job:
    """A candidate to make, and what its tries start from.

    Attributes:
        candidate: Identity and lineage of the candidate: a record without results.
        start: What its tries start from.
        rival: The same candidate from another start; None where there is no other. Where runs choose by energy, it
            takes the place of this one if its sample lies clearly lower; elsewhere, if this one's is no sound crystal.
        held: Which of the first atoms, those of the host, stay in place when it is relaxed, of shape (host,); None for
            none.
    """

    candidate: Candidate
    start: Start
    rival: Job | None = None
    held: Bool[np.ndarray, "host"] | None = None

    def redraw(self, k: int) -> Job:
        """Return the job that draws the same candidate anew, with a seed and an id of its own.

        Args:
            k: 1 for the first time that the candidate is drawn anew, 2 for the second, and so on.
        """
        seed = int(np.random.default_rng([self.candidate.seed, k]).integers(2**62))
        start = self.start.redraw(k)
        name = f"{self.candidate.id}-r{k}"
        return Job(
            candidate=replace(self.candidate, id=name, seed=seed, seed_log_odds=start.prototype_log_odds),
            start=start,
            held=self.held,
        )
