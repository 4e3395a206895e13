"""Further levels: promising candidates are relaxed once more with other potentials, and placed at their levels."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from chggen.campaign.duplicates import promising, survivors
from chggen.campaign.parts import rescore_in_parts
from chggen.campaign.relax_and_refine import unplaced
from chggen.execution import Failure, batches_of
from chggen.potential import level_of, refining_potential
from chggen.results import Candidate
from chggen.stability import hull, joined_doubts

if TYPE_CHECKING:
    from chggen.campaign.runner import Campaign

log = logging.getLogger(__name__)
_SECONDS_A_RESCORING: Final = 2.0  # of one core, roughly


class FurtherLevels:
    """What a run computes at levels beyond its own.

    Args:
        campaign: The run, entered.
    """

    def __init__(self, campaign: Campaign) -> None:
        self._campaign = campaign

    def of_run(self, below: float | None) -> None:
        """Have the promising candidates judged by the potentials asked for (`judge_by`), one after the other.

        Where none is asked for, survivors are relaxed once more with the potential that refines the run's.

        Args:
            below: Decomposition energy at the level of the run, eV/atom, below which a distinct candidate survives;
                None where survivors are relaxed no further.
        """
        options, results, comparison = self._campaign.options, self._campaign.results, self._campaign.comparison
        if options.judge_by:
            chosen = promising(results.candidates().values(), options.judge_within, comparison)
            for potential in options.judge_by:
                self._by(potential, chosen)
                now = results.candidates()
                chosen = [now[c.id] for c in chosen]
        elif below is not None:
            self.of(survivors(results.candidates().values(), below, comparison))

    def of(self, chosen: Sequence[Candidate]) -> None:
        """Relax candidates once more with the potential that refines the run's, and place them at its level.

        Args:
            chosen: Good candidates of the run.
        """
        relax = self._campaign.resources.relax
        finer = None if relax is None else refining_potential(relax.potential)
        if finer is not None:
            self._by(finer, chosen)

    def _by(self, potential: str, chosen: Sequence[Candidate]) -> None:
        """Relax candidates once more with a potential, and place them at its level."""
        campaign = self._campaign
        relax = campaign.resources.relax
        if relax is None or not chosen:
            return
        level = level_of(potential).name
        resources = replace(campaign.resources, relax=relax.model_copy(update={"potential": potential}), loaded={})

        def tried(candidate: Candidate) -> bool:
            return level in candidate.energies or candidate.unplaced_at == level

        done = sum(map(tried, chosen))
        campaign.progress(level, done, len(chosen), 0)
        bad = 0
        batches = batches_of(chosen, campaign.machine, made=tried)
        seconds = _SECONDS_A_RESCORING * sum(map(len, batches))
        lost = partial(_unscored, level=level)
        for candidates in campaign.workers.run(
            rescore_in_parts, batches, campaign.sent(resources), lost, seconds, name=lambda c: f"{c.id} at {level}"
        ):
            campaign.results.put([self._placed_or_not(c, level) for c in candidates])
            done, bad = done + len(candidates), bad + sum(level not in c.energies for c in candidates)
            campaign.progress(level, done, len(chosen), bad)

    def _placed_or_not(self, candidate: Candidate, level: str) -> Candidate:
        """Return a survivor placed at a further level; one that cannot be placed there stays what it is, marked."""
        try:
            return self._placed_at(candidate, level)
        except Exception as error:  # of any kind: it is sound and placed at the level of the run
            log.warning("%s cannot be placed at level %s", candidate.id, level, exc_info=True)
            return unplaced(candidate, level, Failure.of(error).reason)

    def _placed_at(self, candidate: Candidate, level: str) -> Candidate:
        """Return the candidate with its decomposition energy at a further level, where it has an energy there."""
        energy = candidate.energies.get(level)
        if energy is None:
            return candidate
        if level not in self._campaign.references.levels:
            self._campaign.say(f"no reference energies at the level {level}; there, candidates rank by their energies")
            return candidate
        position = hull(candidate.formula, energy, level=level, references=self._campaign.references)
        if position.e_decomposition is None and position.reason:
            self._campaign.say(position.reason)
        doubted = replace(candidate, hull_warning=joined_doubts(candidate.hull_warning, position.warning, level))
        return doubted.with_energy(level, energy, position.e_decomposition)


def _unscored(candidate: Candidate, failure: Failure, level: str) -> list[Candidate]:
    """Return what stands for a candidate that cannot be relaxed at a further level: itself, marked."""
    return [unplaced(candidate, level, failure.reason)]
