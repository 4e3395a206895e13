"""The scan of an insertion electrode: which contents are made, from what, round by round."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from chggen.campaign.electrode_contents import Content, ElectrodeContents, multiplied
from chggen.campaign.electrode_doubts import doubtful, uncertain
from chggen.campaign.electrode_vacancies import lowest_vacancy_orderings
from chggen.campaign.relax_and_refine import PUSHED, STRAIN, pushed
from chggen.campaign.structure_options import ElectrodeOptions
from chggen.crystals import plain_formula
from chggen.generation import (
    FinishedStructure,
    Host,
    Job,
    Start,
    fillings,
    same_start,
)
from chggen.potential import Potential
from chggen.results import Candidate
from chggen.stability import framework_displacement

if TYPE_CHECKING:
    from pymatgen.core import Structure


class ElectrodeScan:
    """The candidates of an electrode's contents, asked for in rounds.

    1. The empty and the full framework.
    2. Contents between: half of the candidates by filling the empty framework, half by emptying the best full one.
    3. The best of each content, one step on: ions added to that of the next lower content, taken from that of the next
       higher one.
    4. Contents near the hull whose best was found once only: as many again.
    5. The lowest of each content, and the next one where that lies near: pushed off where their symmetry or a flat
       valley may have held them, and relaxed once more.

    What a round asks for depends on the results of complete rounds alone, so a resumed scan asks for the same.

    Args:
        host: The host, with or without ions.
        options: What is asked for.

    Attributes:
        of: What the contents are contents of.
        contents: The contents, by rising number of ions per formula unit.

    Raises:
        InputError: The ion is not one, the host does not fit it, or the contents do not fit the host.
    """

    def __init__(self, host: Structure, options: ElectrodeOptions) -> None:
        self.options = options
        self.of = ElectrodeContents(host, options)
        self.contents = self.of.all
        self._made: dict[str, Content] = {}
        self._round = 0
        self._taken = dict.fromkeys(self.contents, 0)
        self._emptied = dict.fromkeys(self.contents, 0)

    def next_round(self, made: Mapping[str, Candidate], potential: Potential) -> list[Job]:
        """Return the jobs of the next round; none after the last.

        Args:
            made: All candidates so far, by id.
            potential: What compares vacancy orderings.
        """
        rounds = (self._ends, self._between, self._steps, self._again, self._pushes)
        earlier = {name: made[name] for name in self._made if name in made}  # a resumed run has some of this round too
        while self._round < len(rounds):
            self._round += 1
            if jobs := rounds[self._round - 1](earlier, potential):
                return jobs
        return []

    def best(self, content: Content, made: Mapping[str, Candidate]) -> Candidate | None:
        """Return the candidate of lowest energy of a content, None where there is none.

        Args:
            content: The content.
            made: All candidates, by id.
        """
        return min(self._good(content, made), key=lambda c: c.energy_per_atom or 0.0, default=None)

    def lowest(self, content: Content, made: Mapping[str, Candidate]) -> list[Candidate]:
        """Return the lowest candidates of a content, as many as are to be relaxed at a further level.

        Args:
            content: The content.
            made: All candidates, by id.
        """
        found = sorted(self._good(content, made), key=lambda c: (c.energy_per_atom or 0.0, c.id))
        return found[: self.options.second_level_best]

    def displacements(self, candidates: Sequence[Candidate]) -> dict[str, float]:
        """Return by id how far the frameworks of candidates moved from the host, root mean square, Å.

        Args:
            candidates: Candidates of the scan.
        """
        found = {}
        for c in candidates:
            if c.structure is not None and c.id in self._made:
                moved = framework_displacement(self.of.framework_of(self._made[c.id]), c.structure)
                if moved is not None:
                    found[c.id] = moved
        return found

    def _ends(self, made: Mapping[str, Candidate], potential: Potential) -> list[Job]:
        """Return the jobs of the empty and the full framework."""
        return [job for content in dict.fromkeys((self.contents[0], self.contents[-1])) for job in self._end(content)]

    def _between(self, made: Mapping[str, Candidate], potential: Potential) -> list[Job]:
        """Return the jobs of the contents between, half of them fillings and half vacancy orderings."""
        return [job for content in self.contents[1:-1] for job in self._both(content, made, potential)]

    def _steps(self, made: Mapping[str, Candidate], potential: Potential) -> list[Job]:
        """Return the jobs that begin with the best of neighbouring contents."""
        steps = zip(self.contents, self.contents[1:-1], self.contents[2:], strict=False)
        return [job for low, own, high in steps for job in self._neighbours(own, low, high, made, potential)]

    def _again(self, made: Mapping[str, Candidate], potential: Potential) -> list[Job]:
        """Return more jobs of the contents near the hull that are uncertain; none where only ends are asked for."""
        if len(self.contents) < 3:
            return []
        good = {content: self._good(content, made) for content in self.contents}
        return [job for content in uncertain(self.of, good) for job in self._both(content, made, potential)]

    def _pushes(self, made: Mapping[str, Candidate], potential: Potential) -> list[Job]:
        """Return the jobs that relax the lowest candidates of each content once more, after a push."""
        return [self._pushed(content, c) for content in self.contents for c in doubtful(self._good(content, made))]

    def _both(self, content: Content, made: Mapping[str, Candidate], potential: Potential) -> list[Job]:
        """Return the jobs of a content between: fillings of the empty framework, and vacancies in the full one."""
        n = self.options.n
        filled, full = self._filled(content, math.ceil(n / 2)), self.contents[-1]
        return filled + ([] if content == full else self._emptied_from(content, full, made, potential, n // 2))

    def _end(self, content: Content) -> list[Job]:
        """Return the jobs of an end of the scan: the host as it came where it has this content, and fillings."""
        if content.count == 0:
            return [self._job(content, FinishedStructure.of(self.of.framework_of(content), "host"), "h")]
        given = self.of.is_given(content)
        first = [self._job(content, FinishedStructure.of(self.of.host_of(content), "host"), "h")] if given else []
        return first + self._filled(content, self.options.n - len(first))

    def _filled(self, content: Content, n: int) -> list[Job]:
        """Return n more jobs that fill the empty framework."""
        if content.count == 0 or n < 1:
            return []
        begun = self._taken[content]
        self._taken[content] += n
        host = Host(framework=self.of.framework_of(content), guests={self.options.ion: content.count})
        *starts, spare = fillings(host, begun + n + 1)[begun:]
        jobs = [self._job(content, start, f"f{k:03d}", k) for k, start in enumerate(starts, begun)]
        if not same_start(spare, starts[-1]):  # as in inpainting
            last = jobs[-1].candidate
            jobs[-1] = replace(jobs[-1], rival=Job(candidate=replace(last, seed_source=spare.source), start=spare))
        return jobs

    def _emptied_from(
        self, content: Content, full: Content, made: Mapping[str, Candidate], potential: Potential, n: int
    ) -> list[Job]:
        """Return n more jobs that take ions out of the best candidate of a fuller content."""
        parent = self.best(full, made)
        if parent is None or parent.structure is None or n < 1:
            return []
        crystal = self._in_cell(parent.structure, full, content)
        if crystal is None:
            return []
        begun = self._emptied[content]
        self._emptied[content] += n
        lowest = self._lowest_orderings(crystal, content, potential)[begun : begun + n]
        return [
            self._job(content, FinishedStructure.of(structure, "vacancies"), f"v{k:03d}", k, parent)
            for k, structure in enumerate(lowest, begun)
        ]

    def _pushed(self, content: Content, best: Candidate) -> Job:
        """Return the job that relaxes a candidate once more, after a push."""
        assert best.structure is not None
        assert self.options.relax is not None
        moved = pushed(best.structure, best.seed, 0.0 if self.options.relax.holds_cell else STRAIN)
        return self._job(content, FinishedStructure.of(moved, PUSHED), f"p-{_kind_of(best)}", 0, best)

    def _neighbours(
        self, own: Content, low: Content, high: Content, made: Mapping[str, Candidate], potential: Potential
    ) -> list[Job]:
        """Return jobs that begin with the best of the next lower and of the next higher content, in the same cell."""
        jobs = []
        below, above = self.best(low, made), self.best(high, made)
        if below is not None and below.structure is not None and low.multiples == own.multiples:
            host = Host(framework=below.structure, guests={self.options.ion: own.count - low.count})
            jobs += [self._job(own, start, f"b-{_kind_of(below)}", 0, below) for start in fillings(host, 1)]
        if above is not None and above.structure is not None and high.multiples == own.multiples:
            for structure in self._lowest_orderings(above.structure, own, potential)[:1]:
                start = FinishedStructure.of(structure, "vacancies")
                jobs.append(self._job(own, start, f"a-{_kind_of(above)}", 0, above))
        return jobs

    def _good(self, content: Content, made: Mapping[str, Candidate]) -> list[Candidate]:
        """Return the good candidates of a content."""
        found = (made[name] for name, own in self._made.items() if own == content and name in made)
        return [c for c in found if c.status == "ok" and c.energy_per_atom is not None]

    def _lowest_orderings(self, crystal: Structure, content: Content, potential: Potential) -> list[Structure]:
        """Return a crystal of a fuller content in the same cell with ions taken out, the lowest energies first."""
        n_framework = len(self.of.framework) * content.cells
        return lowest_vacancy_orderings(crystal, n_framework, content.count, potential, self.options.seed)

    def _job(self, content: Content, start: Start, kind: str, k: int = 0, parent: Candidate | None = None) -> Job:
        """Return a job of a content, named after what it is: a run of more candidates has those of fewer."""
        cells = "" if content.cells == 1 else "-" + "x".join(map(str, content.multiples))
        name = f"{self.of.formula}{cells}-{self.options.ion}{content.count}-{kind}"
        rng = np.random.default_rng([self.options.seed, *content.multiples, content.count, k])
        self._made[name] = content
        candidate = Candidate(
            id=name,
            stage="electrode",
            formula=self._formula_of(content),
            seed=int(rng.integers(2**62)),
            seed_source=start.source,
            parent=None if parent is None else parent.id,
        )
        return Job(candidate=candidate, start=start)

    def _formula_of(self, content: Content) -> str:
        from pymatgen.core import Composition

        whole = self.of.framework.composition.element_composition * content.cells
        return plain_formula(whole + Composition({self.options.ion: content.count}))

    def _in_cell(self, crystal: Structure, its: Content, own: Content) -> Structure | None:
        """Return a crystal of one content in the cell of another; None where that is no supercell of its own."""
        if any(mine % theirs for mine, theirs in zip(own.multiples, its.multiples, strict=True)):
            return None
        a, b, c = (mine // theirs for mine, theirs in zip(own.multiples, its.multiples, strict=True))
        return multiplied(crystal, len(self.of.framework) * its.cells, (a, b, c))


def _kind_of(candidate: Candidate) -> str:
    """Return what a candidate's name says behind its content."""
    return candidate.id.rsplit("-", 1)[-1]
